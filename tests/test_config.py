"""Settings: order of the sources, and every mistake named with its place and the nearest valid word."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.clouds import PROFILES
from auditor.config import FORMATS, GROUPINGS, Settings, keys, load_settings, variable
from auditor.errors import AuditorError, ManyProblems, UsageProblem

S1 = "11111111-2222-3333-4444-555555555555"
S2 = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


def load(folder: Path, text: str | None = None, environ: dict[str, str] | None = None, **flags: Any) -> Settings:
    """The settings of a call in `folder`, where `auditor.toml` holds `text`."""
    if text is not None:
        (folder / "auditor.toml").write_text(text, encoding="utf-8")
    return load_settings(flags, environ or {}, folder)


def mistakes(folder: Path, text: str | None = None, environ: dict[str, str] | None = None, **flags: Any) -> list[str]:
    with pytest.raises(AuditorError) as raised:
        load(folder, text, environ, **flags)
    assert raised.value.exit_status == 2
    several = raised.value.problems if isinstance(raised.value, ManyProblems) else (raised.value,)
    return [problem.message for problem in several]


def test_later_sources_win(tmp_path: Path) -> None:
    file = 'cloud = "usgov"\nfail_on = "low"\nlang = "zh-CN"\n'
    environ = {"AUDITOR_FAIL_ON": "medium", "AUDITOR_LANG": "en"}
    found = load(tmp_path, file, environ, lang="zh-CN")
    assert (found.cloud, found.fail_on, found.lang, found.clusters) == ("usgov", "medium", "zh-CN", "all")


def test_a_flag_not_given_changes_nothing(tmp_path: Path) -> None:
    found = load(tmp_path, 'check = ["nsg-*"]\nstrict = true\n', None, check=(), strict=None)
    assert (found.check, found.strict) == (("nsg-*",), True)


def test_without_anything_the_defaults_stand(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()
    assert Settings().format == ("html", "json")


def test_every_kind_of_value_from_every_source(tmp_path: Path) -> None:
    file = f"""
subscription = ["{S1.upper()}", "/subscriptions/{S2}"]
management_group = ["contoso", "/providers/Microsoft.Management/managementGroups/Prod"]
max_rps = 3
no_history = true
format = ["JSON", "csv"]
scoring_addresses = ["10.1.0.9"]
scoring_clients = ["10.0.0.5/24"]
[severity]
nsg-acr-outbound = "low"
[principals]
"{S1.upper()}" = "{S2}"
"""
    found = load(tmp_path, file)
    assert found.subscription == (S1, S2)
    assert found.management_group == ("contoso", "Prod")
    assert found.max_rps == 3.0
    assert found.no_history
    assert found.format == ("json", "csv")
    assert found.scoring_clients == ("10.0.0.0/24",)
    assert dict(found.severity) == {"nsg-acr-outbound": "low"}
    assert dict(found.principals) == {S1: S2}
    said = {
        "AUDITOR_SUBSCRIPTION": f"{S1}, {S2}",
        "AUDITOR_MAX_RPS": "3",
        "AUDITOR_NO_HISTORY": "true",
        "AUDITOR_FORMAT": "json,csv",
        "AUDITOR_SEVERITY": "nsg-acr-outbound=low",
        "AUDITOR_HISTORY": "sqlite:////var/lib/auditor/runs.db",
    }
    other = load_settings({}, said, tmp_path / "elsewhere")
    assert (other.subscription, other.max_rps, other.no_history, other.format, dict(other.severity)) == (
        (S1, S2),
        3.0,
        True,
        ("json", "csv"),
        {"nsg-acr-outbound": "low"},
    )
    assert other.history == "sqlite:////var/lib/auditor/runs.db"


def test_an_unknown_key_names_its_line_and_the_nearest(tmp_path: Path) -> None:
    assert mistakes(tmp_path, '# on\n\nfail_onn = "high"\n') == [
        "unknown key `fail_onn` in auditor.toml, line 3; did you mean `fail_on`?"
    ]
    assert mistakes(tmp_path, '[sevrity]\nx = "low"\n') == [
        "unknown key `sevrity` in auditor.toml, line 1; did you mean `severity`?"
    ]
    assert mistakes(tmp_path, "quxbaz = 1\n") == ["unknown key `quxbaz` in auditor.toml, line 1"]


def test_a_file_cannot_name_another(tmp_path: Path) -> None:
    assert mistakes(tmp_path, 'config = "other.toml"\n')[0].startswith("unknown key `config`")


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    file = 'fail_onn = "x"\nquiet = "yes"\nsubscription = ["a b", 7]\nformat = ["jsn"]\n'
    environ = {"AUDITOR_CLUOD": "china", "AUDITOR_MAX_RPS": "fast"}
    assert mistakes(tmp_path, file, environ, fail_on="hgh") == [
        "unknown key `fail_onn` in auditor.toml, line 1; did you mean `fail_on`?",
        "`quiet` in auditor.toml, line 2 must be true or false, not `yes`",
        "`subscription` in auditor.toml, line 3 must be a list of texts, not a list",
        "`jsn` in auditor.toml, line 4 is no format; did you mean `json`?",
        "unknown variable `AUDITOR_CLUOD` in the environment; did you mean `AUDITOR_CLOUD`?",
        "`max_rps` in AUDITOR_MAX_RPS must be a number, not `fast`",
        "`hgh` after --fail-on is no severity; did you mean `high`?",
    ]


WRONG = {
    "cloud": ('cloud = "chnia"', "`chnia` in auditor.toml, line 1 is no cloud; did you mean `china`?"),
    "switch as number": ("strict = 1", "`strict` in auditor.toml, line 1 must be true or false, not `1`"),
    "number as switch": ("max_rps = true", "`max_rps` in auditor.toml, line 1 must be a number, not `true`"),
    "no requests": ("max_rps = 0", "`0` in auditor.toml, line 1 must be above 0"),
    "no time": ("deadline = 0", "`0` in auditor.toml, line 1 must be above 0 and at most 86400 (a day)"),
    "no end": ("request_timeout = inf", "`inf` in auditor.toml, line 1 must be above 0 and at most 86400 (a day)"),
    "not a number": ("max_rps = nan", "`nan` in auditor.toml, line 1 must be above 0"),
    "text as list": ('check = "nsg-*"', "`check` in auditor.toml, line 1 must be a list, not `nsg-*`"),
    "list as text": ('cloud = ["china"]', "`cloud` in auditor.toml, line 1 must be text, not a list"),
    "empty text": ('check = [""]', "`check` in auditor.toml, line 1 is empty"),
    "table as text": ('severity = "low"', "`severity` in auditor.toml, line 1 must be a table of texts, not `low`"),
    "severity's word": (
        '[severity]\nnsg-acr-outbound = "hihg"',
        "`hihg` in auditor.toml, line 1 is no severity; did you mean `high`?",
    ),
    "client's address": (
        'scoring_clients = ["10.0.0.0/33"]',
        "`10.0.0.0/33` in auditor.toml, line 1 is no address or prefix (such as 10.0.0.0/16)",
    ),
    "principal": (
        f'[principals]\n"{S1}" = "me"',
        "`me` in auditor.toml, line 1 is no id of the form 11111111-2222-3333-4444-555555555555",
    ),
    "NUL in a path": ('waivers = "a\\u0000"', "the path `a\0` in auditor.toml, line 1 holds a NUL character"),
    "nobody's home": (
        'waivers = "~nobody-of-that-name/w"',
        "the path `~nobody-of-that-name/w` in auditor.toml, line 1 names a user who has no home here",
    ),
    "endpoint in a file": (
        '[custom_cloud]\narm_endpoint = "https://x"',
        "unknown key `arm_endpoint` under [custom_cloud] in auditor.toml, line 1",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_says_what_it_should_be(text: str, message: str, tmp_path: Path) -> None:
    assert mistakes(tmp_path, text) == [message]


@pytest.mark.parametrize("name", [name for name, key in keys().items() if key.explicit])
def test_a_file_merely_found_may_not_run_code_or_choose_where_results_go(name: str, tmp_path: Path) -> None:
    value = '["own"]' if keys()[name].kind == "paths" else '"own"'
    (message,) = mistakes(tmp_path, f"{name} = {value}\n")
    assert message == f"`{name}` in auditor.toml, line 1: a file merely found in the working directory may not set it"
    named = str(tmp_path / "auditor.toml")
    assert getattr(load(tmp_path, None, None, config=named), name)
    assert getattr(load(tmp_path, None, {"AUDITOR_CONFIG": named}), name)


def test_what_may_not_be_found_is_what_the_contract_says() -> None:
    assert {name for name, key in keys().items() if key.explicit} == {"checks_dir", "template", "history"}


def test_paths_in_a_file_count_from_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "nightly.toml").write_text(
        'checks_dir = ["own"]\nwaivers = "waivers.toml"\noutput = "/srv/reports"\nsnapshot = ["a.jsonl", "-"]\n'
    )
    found = load_settings({"config": str(folder / "nightly.toml")}, {"AUDITOR_TEMPLATE": "t.j2"}, tmp_path)
    assert found.checks_dir == (folder / "own",)
    assert found.waivers == folder / "waivers.toml"
    assert found.output == "/srv/reports"
    assert found.snapshot == (str(folder / "a.jsonl"), "-")
    assert found.template == Path("t.j2")
    assert load_settings({"snapshot": ("b.jsonl", "b.jsonl")}, {}, tmp_path / "x").snapshot == ("b.jsonl", "b.jsonl")


UNREADABLE = {
    "not toml": (b'cloud = "china\n', "auditor.toml is not TOML: illegal character '\\n' (at line 1, column 15)"),
    "twice": (
        b"quiet = true\nquiet = false\n",
        "auditor.toml is not TOML: cannot overwrite a value (at line 2, column 14)",
    ),
    "latin-1": (b"# caf\xe9\n", "auditor.toml is not UTF-8 text (byte 5)"),
    "binary": (b"\x00\x01", "auditor.toml is not TOML: invalid statement (at line 1, column 1)"),
}


@pytest.mark.parametrize(("content", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_file_is_a_line(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "auditor.toml").write_bytes(content)
    assert mistakes(tmp_path) == [message]


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    (message,) = mistakes(tmp_path, None, None, config="none.toml")
    assert message == "cannot read the configuration file none.toml: No such file or directory"


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "auditor.toml").write_bytes(b'\xef\xbb\xbfcloud = "china"\n')
    assert load(tmp_path).cloud == "china"


def test_kubernetes_service_links_are_not_settings(tmp_path: Path) -> None:
    links = {
        "AUDITOR_PORT": "tcp://10.0.0.1:8743",
        "AUDITOR_PORT_8743_TCP_ADDR": "10.0.0.1",
        "AUDITOR_SERVICE_HOST": "10.0.0.1",
        "AUDITOR_SERVICE_PORT_HTTP": "8743",
        "AUDITOR_NIGHTLY_SERVICE_HOST": "10.0.0.2",
        "AUDITOR_ARM_ENDPOINT": "https://127.0.0.1",
        "AUDITOR_TRACEBACK": "1",
    }
    assert load(tmp_path, None, links) == Settings()


def test_one_report_fits_on_standard_output(tmp_path: Path) -> None:
    assert mistakes(tmp_path, None, None, output="-") == ["`-o -` writes one report"]
    assert load(tmp_path, None, None, output="-", format=("json",)).output == "-"


def test_standard_input_is_read_once(tmp_path: Path) -> None:
    assert mistakes(tmp_path, None, None, snapshot=("-", "-")) == [
        "standard input can be read once: `--snapshot -` stands twice"
    ]


def test_settings_cannot_be_changed_afterwards(tmp_path: Path) -> None:
    found = load(tmp_path, '[severity]\nx = "low"\n')
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.cloud = "china"  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.severity["y"] = "high"  # type: ignore[index]


def test_choices_are_those_of_the_layers_that_use_them() -> None:
    from auditor.report import FORMATS as RENDERED
    from auditor.report import GROUPINGS as GROUPED

    assert set(RENDERED) <= set(FORMATS)
    assert set(GROUPED) == set(GROUPINGS)
    assert keys()["cloud"].choices == tuple(PROFILES)


def test_variables_are_the_keys_in_capitals() -> None:
    assert variable("fail_on") == "AUDITOR_FAIL_ON"


@given(text=st.text(max_size=80), name=st.sampled_from(sorted(keys())))
@settings(max_examples=300, deadline=None)
def test_no_variable_s_text_gives_a_traceback(text: str, name: str) -> None:
    with contextlib.suppress(UsageProblem):
        load_settings({}, {variable(name): text}, Path("/nonexistent"))
