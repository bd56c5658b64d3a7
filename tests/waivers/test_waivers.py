"""Waivers: what a file may say, what each accepts, and that none hides anything."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from auditor.errors import ManyProblems
from auditor.findings import Note, Waiver
from auditor.resources import root
from auditor.waivers import ByCheck, ByFinding, ByTag, WaiverRule, apply, check, load
from auditor.waivers.rules import matches
from tests.nights import finding, night, resource

AKS = resource("aks")
TODAY = date(2026, 11, 24)
KNOWN = ("nsg-acr-outbound", "nsg-dns-outbound", "aks-private-api-server")
GOOD = """
version = 1

[[waivers]]
finding = "0123456789abcdef0123"
owner = "net team"
reason = "until the firewall moves"
expires = 2027-01-31

[[waivers]]
check = "nsg-*"
resource = "/subscriptions/*/resourceGroups/ml/**"
owner = "ml team"
reason = "sandbox"
expires = "2027-02-28"

[[waivers]]
tag = { name = "audit", value = "exempt" }
owner = "owner"
reason = "agreed"
expires = 2027-03-31
"""


def written(tmp_path: Path, text: str, name: str = "waivers.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file(tmp_path: Path) -> None:
    assert load(written(tmp_path, GOOD), KNOWN) == (
        WaiverRule(
            ByFinding("0123456789abcdef0123"),
            "net team",
            "until the firewall moves",
            date(2027, 1, 31),
            "waivers.toml, line 4",
        ),
        WaiverRule(
            ByCheck("nsg-*", "/subscriptions/*/resourceGroups/ml/**"),
            "ml team",
            "sandbox",
            date(2027, 2, 28),
            "waivers.toml, line 10",
        ),
        WaiverRule(ByTag("audit", "exempt"), "owner", "agreed", date(2027, 3, 31), "waivers.toml, line 17"),
    )


def test_the_same_in_json(tmp_path: Path) -> None:
    entry = {"finding": "0123456789abcdef0123", "owner": 'a "}{[', "reason": "r", "expires": "2027-01-31"}
    text = json.dumps({"$schema": "…", "waivers": [entry, {**entry, "owner": "b"}], "version": 1}, indent=1)
    first, second = load(written(tmp_path, text, "waivers.json"))
    assert (first.owner, first.expires) == ('a "}{[', date(2027, 1, 31))
    lines = text.splitlines()
    assert [rule.place for rule in (first, second)] == [
        f"waivers.json, line {number}" for number, line in enumerate(lines, start=1) if line == "  {"
    ]


def test_every_problem_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """version = 1
[[waivers]]
finding = "xyz"
owner = ""
reason = "r"

[[waivers]]
check = "nsg-acr-outbuond"
resource = "aks"
owner = "o"
reasn = "r"
expires = 2027-13-45x
""".replace("2027-13-45x", '"2027-13-45"'),
    )
    assert [str(problem) for problem in check(path, KNOWN)] == [
        "line 2: `owner` must be text that is not empty",
        "line 2: `expires` is missing",
        "line 2: `finding` must be a finding's id: 20 hex digits, lower case",
        "line 7: unknown key `reasn`; did you mean `reason`?",
        "line 7: `reason` is missing",
        "line 7: `expires` must be a day, such as 2027-03-31",
        "line 7: no check matches `nsg-acr-outbuond`; did you mean `nsg-acr-outbound`?",
        "line 7: `resource` must be a resource id or a glob of ids, such as /subscriptions/*/resourceGroups/ml/**",
    ]
    with pytest.raises(ManyProblems) as caught:
        load(path, KNOWN)
    assert len(caught.value.problems) == 8
    assert caught.value.problems[0].message == f"{path}, line 2: `owner` must be text that is not empty"


ENTRY = 'owner = "o"\nreason = "r"\nexpires = 2027-01-31\n'
FILES = {
    "not TOML": ("waivers.toml", "version = \n", "line 1: not TOML: invalid value"),
    "not JSON": ("waivers.json", '{"version": 1,\n]', "line 2: not JSON"),
    "a JSON list": ("waivers.json", "[]", "not a JSON object"),
    "a doubled key in JSON": ("waivers.json", '{"version": 1, "version": 1}', "`version` stands twice"),
    "nested without end": ("waivers.json", "[" * 100_000, "nested too deeply"),
    "YAML": ("waivers.yaml", "version: 1", "named .yaml; a waiver file ends in .toml or .json"),
    "no version": ("waivers.toml", "", "`version` is missing"),
    "a later version": ("waivers.toml", "version = 2", "`version` must be 1"),
    "true is not 1": ("waivers.toml", "version = true", "`version` must be 1"),
    "misspelt list": ("waivers.toml", "version = 1\n[[waiver]]\n", "unknown key `waiver`; did you mean `waivers`?"),
    "not a list": ("waivers.toml", 'version = 1\nwaivers = "all"', "`waivers` must be a list"),
    "not a table": ("waivers.toml", "version = 1\nwaivers = [1]", "a waiver must be a table"),
    "selects nothing": ("waivers.toml", f"version = 1\n[[waivers]]\n{ENTRY}", "but has nothing"),
    "a check everywhere": ("waivers.toml", f'version = 1\n[[waivers]]\ncheck = "nsg-*"\n{ENTRY}', "but has nothing"),
    "selects twice": (
        "waivers.toml",
        f'version = 1\n[[waivers]]\nresource = "/**"\ntag = {{ name = "a" }}\n{ENTRY}',
        "but has `resource` and `tag`",
    ),
    "a finding of a check": (
        "waivers.toml",
        f'version = 1\n[[waivers]]\nfinding = "0123456789abcdef0123"\ncheck = "c"\n{ENTRY}',
        "leave out `check`",
    ),
    "resource without check": (
        "waivers.toml",
        f'version = 1\n[[waivers]]\nresource = "/**"\n{ENTRY}',
        "`check` is missing",
    ),
    "a tag as text": ("waivers.toml", f'version = 1\n[[waivers]]\ntag = "a=b"\n{ENTRY}', "`tag` must be a table"),
    "a tag with a number": (
        "waivers.toml",
        f'version = 1\n[[waivers]]\ntag = {{ name = "a", value = 1 }}\n{ENTRY}',
        "`value` of `tag` must be text",
    ),
    "a time instead of a day": (
        "waivers.toml",
        'version = 1\n[[waivers]]\nresource = "/**"\ncheck = "*"\n' + ENTRY.replace("-31\n", "-31T00:00:00Z\n"),
        "`expires` must be a day",
    ),
}


@pytest.mark.parametrize(("name", "text", "message"), FILES.values(), ids=FILES)
def test_what_a_file_may_not_say(tmp_path: Path, name: str, text: str, message: str) -> None:
    problems = check(written(tmp_path, text, name), KNOWN)
    assert any(message in str(problem) for problem in problems), problems


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    [problem] = check(tmp_path / "none.toml")
    assert problem.text == "cannot be read: No such file or directory"
    (tmp_path / "waivers.toml").write_bytes(b"\xff\xfe")
    [problem] = check(tmp_path / "waivers.toml")
    assert problem.text == "not UTF-8 text (byte 0)"


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    assert len(load(written(tmp_path, "\ufeff" + GOOD))) == 3


ENTRIES: dict[str, tuple[dict[str, Any], bool]] = {
    "finding": ({"finding": "0123456789abcdef0123"}, True),
    "finding in upper case": ({"finding": "0123456789ABCDEF0123"}, False),
    "check and resource": ({"check": "nsg-*", "resource": "/subscriptions/**"}, True),
    "resource anywhere": ({"check": "nsg-*", "resource": "**/aks"}, True),
    "resource by name": ({"check": "nsg-*", "resource": "aks"}, False),
    "tag": ({"tag": {"name": "a"}}, True),
    "tag and check": ({"tag": {"name": "a", "value": "b"}, "check": "nsg-*"}, True),
    "tag without a name": ({"tag": {"value": "b"}}, False),
    "tag and resource": ({"tag": {"name": "a"}, "resource": "/x"}, False),
    "nothing": ({}, False),
    "check alone": ({"check": "nsg-*"}, False),
    "resource alone": ({"resource": "/x"}, False),
    "finding and check": ({"finding": "0123456789abcdef0123", "check": "c"}, False),
    "unknown key": ({"finding": "0123456789abcdef0123", "x": 1}, False),
    "empty owner": ({"finding": "0123456789abcdef0123", "owner": " "}, False),
    "no such day": ({"finding": "0123456789abcdef0123", "expires": "soon"}, False),
    "number for a check": ({"check": 1, "resource": "/x"}, False),
}


@pytest.mark.parametrize(("entry", "good"), ENTRIES.values(), ids=ENTRIES)
def test_the_schema_says_what_the_reader_says(tmp_path: Path, entry: dict[str, Any], good: bool) -> None:
    document = {"version": 1, "waivers": [{"owner": "o", "reason": "r", "expires": "2027-01-31", **entry}]}
    schema = json.loads((root("reports") / "schema" / "waivers-1.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid(document) is good
    assert (check(written(tmp_path, json.dumps(document), "waivers.json")) == ()) is good


GLOBS = {
    "the id itself": (AKS, AKS, True),
    "other case and a slash": (AKS.upper() + "/", AKS, True),
    "a star is one segment": ("/subscriptions/*/resourceGroups/rg/providers/*/*/aks", AKS, True),
    "a star does not cross a slash": ("/subscriptions/*/aks", AKS, False),
    "two stars do": ("/subscriptions/**/aks", AKS, True),
    "a question mark is one character": (AKS[:-1] + "?", AKS, True),
    "nor a slash": (AKS.replace("/rg/", "?rg?"), AKS, False),
    "the whole id counts": (AKS[:-1], AKS, False),
    "a scope is not what lies in it": ("/subscriptions/one", AKS, False),
    "brackets are themselves": (AKS + "[a]", AKS + "a", False),
    "dots too": (AKS.replace("Microsoft.", "Microsoft?"), AKS, True),
}


@pytest.mark.parametrize(("pattern", "resource_id", "fits"), GLOBS.values(), ids=GLOBS)
def test_globs_of_resources(pattern: str, resource_id: str, fits: bool) -> None:
    assert matches(pattern, resource_id) is fits


def rule(selects: ByFinding | ByCheck | ByTag, expires: date = date(2027, 1, 1), owner: str = "o") -> WaiverRule:
    return WaiverRule(selects, owner, "r", expires, "waivers.toml, line 1")


def tags(resource_id: str) -> dict[str, str] | None:
    return {"Audit": "exempt"} if resource_id == AKS else None


FAIL = finding("nsg-acr-outbound", AKS, "fail")
SELECTS = {
    "its id": (ByFinding(FAIL.id), True),
    "another id": (ByFinding("0" * 20), False),
    "its check and resource": (ByCheck("nsg-acr-outbound", AKS), True),
    "another check": (ByCheck("nsg-dns-*", "/**"), False),
    "another resource": (ByCheck("nsg-*", AKS + "2"), False),
    "its tag, name in any case": (ByTag("AUDIT", "exempt"), True),
    "its tag, value in another case": (ByTag("audit", "Exempt"), False),
    "its tag, any value": (ByTag("audit", None), True),
    "its tag, another check": (ByTag("audit", None, "aks-*"), False),
    "a tag it lacks": (ByTag("other", None), False),
}


@pytest.mark.parametrize(("selects", "waived"), SELECTS.values(), ids=SELECTS)
def test_what_is_waived(selects: ByFinding | ByCheck | ByTag, waived: bool) -> None:
    report = apply(night(1, FAIL), [rule(selects)], TODAY, tags)
    [found] = report.findings
    assert (found.waiver is not None) is waived
    # never hidden: the finding is as it was, only no longer counted by severity
    assert msgspec.structs.replace(found, waiver=None) == FAIL
    assert (report.summary.waived, report.summary.outcomes["fail"]) == (int(waived), 1)
    assert report.summary.by_severity["high"] == int(not waived)


def test_tags_that_were_not_read_waive_nothing() -> None:
    other = finding("nsg-acr-outbound", resource("other"), "fail")
    report = apply(night(1, other), [rule(ByTag("audit", None))], TODAY, tags)
    assert report.findings[0].waiver is None


OUTCOMES = {"fail": True, "warn": True, "unknown": True, "pass": False, "not-applicable": False}


@pytest.mark.parametrize(("outcome", "waived"), OUTCOMES.items())
def test_only_what_is_wrong_or_open_can_be_waived(outcome: str, waived: bool) -> None:
    report = apply(night(1, finding("c", AKS, outcome)), [rule(ByCheck("c", "/**"))], TODAY, tags)
    assert (report.findings[0].waiver is not None) is waived
    # a waiver for what passes is no longer needed, and said to be unused
    assert [note.kind for note in report.run.notes] == ([] if waived else ["waiver-unused"])


def test_the_last_day_counts() -> None:
    on_the_day = apply(night(1, FAIL), [rule(ByFinding(FAIL.id), expires=TODAY)], TODAY, tags)
    assert on_the_day.findings[0].waiver == Waiver(owner="o", reason="r", expires="2026-11-24")
    day_after = apply(night(1, FAIL), [rule(ByFinding(FAIL.id), expires=TODAY)], date(2026, 11, 25), tags)
    assert day_after.findings[0].waiver is None
    assert day_after.run.notes == (
        Note(
            kind="waiver-expired",
            text=f"the waiver for finding {FAIL.id} (waivers.toml, line 1) expired on 2026-11-24; its owner is o",
        ),
    )


def test_a_waiver_for_a_check_that_did_not_run_is_not_called_unused() -> None:
    ran, other = rule(ByCheck("nsg-*", "/x")), rule(ByCheck("aks-*", "/x"))
    notes = apply(night(1, FAIL), [ran, other], TODAY, tags).run.notes
    assert [note.text for note in notes] == [
        "the waiver for check nsg-* of /x (waivers.toml, line 1) fits no deviation of this run; its owner is o"
    ]


def test_the_first_that_fits_counts_and_the_others_are_used_too() -> None:
    rules = [rule(ByFinding(FAIL.id), owner="first"), rule(ByCheck("nsg-*", "/**"), owner="second")]
    report = apply(night(1, FAIL), rules, TODAY, tags)
    waiver = report.findings[0].waiver
    assert waiver is not None
    assert waiver.owner == "first"
    assert report.run.notes == ()


def test_applying_anew_replaces_what_was_waived() -> None:
    once = apply(night(1, FAIL), [rule(ByFinding(FAIL.id))], TODAY, tags)
    assert apply(once, [], TODAY, tags) == night(1, FAIL)
    unused = apply(night(1, FAIL), [rule(ByFinding("0" * 20))], TODAY, tags)
    assert apply(unused, [rule(ByFinding("0" * 20))], TODAY, tags) == unused


def test_drift_counts_are_kept() -> None:
    from auditor.drift import diff

    for new in (night(2, FAIL), night(2, checks={"nsg-acr-outbound": 1})):
        compared = diff(night(1, checks={"nsg-acr-outbound": 1}), new)
        assert apply(compared, [], TODAY, tags) == compared
