"""Past runs, drift between any two of them, and explanations, from the command line."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., int]
Write = Callable[..., str]


@pytest.fixture
def nights(run: Run, snapshot: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Three nights in the history: one bad cluster, a second, and only the second; their ids, oldest first."""
    ids = []
    for names in (("bad", "good"), ("bad", "worse", "good"), ("worse", "good")):
        assert run("scan", "--snapshot", snapshot(*names), "-o", str(tmp_path / "-".join(names))) == 0
        ids.append(json.loads((tmp_path / "-".join(names) / "report.json").read_text(encoding="utf-8"))["run"]["id"])
    capsys.readouterr()
    return ids


def finding_of(report: Path, resource: str) -> str:
    """The id of the finding about a resource."""
    findings = json.loads(report.read_text(encoding="utf-8"))["findings"]
    (found,) = [each["id"] for each in findings if each["resource"]["name"] == resource]
    return str(found)


def test_runs_are_listed_newest_first(run: Run, nights: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("history", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("RUN ")
    assert [line.split()[0] for line in lines[1:]] == nights[::-1]
    assert "1 resolved" in lines[1]
    assert "1 new" in lines[2]


def test_a_run_is_shown_with_its_deviations_and_the_nights_before(
    run: Run, nights: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("history", "show", nights[1]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"medium +fail +new +own-name +worse", shown)
    assert shown.count("complete") >= 3


def test_a_pinned_run_is_what_scans_are_compared_with(
    run: Run, nights: list[str], snapshot: Write, tmp_path: Path
) -> None:
    assert run("history", "pin", nights[0]) == 0
    assert run("scan", "--snapshot", snapshot("worse", "good")) == 0
    pinned = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert pinned["baseline"]["runId"] == nights[0]
    assert run("history", "unpin", nights[0]) == 0
    assert run("scan", "--snapshot", snapshot("worse", "good")) == 0
    after = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert after["baseline"]["runId"] == pinned["run"]["id"]


def test_pruning_says_what_goes_and_keeps_the_newest(
    run: Run, nights: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("history", "prune", "--keep", "1", "--dry-run") == 0
    assert capsys.readouterr().out.split() == nights[:2]
    assert run("history", "prune", "--keep", "1") == 0
    capsys.readouterr()
    assert run("history", "list") == 0
    assert nights[2] in capsys.readouterr().out


AGES = {"days": "90d", "weeks": "12w", "a date": "2020-01-31"}


@pytest.mark.parametrize("age", AGES.values(), ids=AGES)
def test_young_runs_stay(run: Run, nights: list[str], age: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("history", "prune", "--older-than", age) == 0
    assert capsys.readouterr().out == ""


MISTAKES = {
    "no run": (("history", "show", "nothing"), "error: "),
    "prune what": (("history", "prune"), "error: `auditor history prune` needs --keep or --older-than"),
    "no age": (("history", "prune", "--older-than", "long"), "error: `long` is no age"),
    "no finding": (("explain", "0000"), "error: no run of the history has a finding `0000`"),
    "no report": (("explain", "0000", "--report", "none.json"), "error: there is no report file none.json"),
    "nothing to compare": (("diff", "aaaa", "bbbb"), "error: "),
    "far subcommand": (("history", "shwo"), "error: unknown command `shwo`; did you mean `show`?"),
}


@pytest.mark.parametrize(("arguments", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_a_line(
    run: Run, nights: list[str], arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    seen = capsys.readouterr()
    assert seen.err.startswith(line)
    assert "Traceback" not in seen.err


def test_without_a_history_there_is_a_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("history", "list") == 2
    assert "there is no history" in capsys.readouterr().err


def test_drift_between_runs_reports_and_snapshots_in_any_mix(
    run: Run, nights: list[str], snapshot: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = str(tmp_path / "bad-good" / "report.json")
    later = snapshot("bad", "worse", "good")
    for old in (nights[0], nights[0][:20], report, snapshot("bad", "good")):
        for new in (nights[1], str(tmp_path / "bad-worse-good" / "report.json"), later):
            assert run("diff", old, new, "--exit-code") == 1
            assert re.search(r"new +medium +fail +own-name +worse", capsys.readouterr().out)
    assert run("diff", nights[0], nights[1]) == 0
    assert run("diff", nights[1], nights[1], "--exit-code") == 0
    assert run("diff", nights[1], nights[2], "--exit-code") == 0  # only resolved


def test_drift_as_json_is_the_newer_report(run: Run, nights: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("diff", nights[0], nights[1], "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["run"]["id"], report["baseline"]["runId"]) == (nights[1], nights[0])


def test_a_verdict_is_explained_from_a_report_and_from_the_history(
    run: Run, nights: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "bad-worse-good" / "report.json"
    finding = finding_of(report, "worse")
    for more in (("--report", str(report)), (), ("--run", nights[1])):
        assert run("explain", finding[:10], *more) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("medium fail: A cluster is called as the test wants it\n  worse is called so\n")
        assert f"check own-name, reason named, finding {finding}" in shown
        assert "Call it good" in shown or "call it good" in shown
    assert run("explain", f"#{finding}", "--json") == 0
    assert json.loads(capsys.readouterr().out)["id"] == finding


WAIVER = """version = 1

[[waivers]]
check = "own-name"
resource = "/subscriptions/*/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/bad"
owner = "net"
reason = "moving"
expires = "2099-01-01"
"""


def test_a_waiver_file_is_checked(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "waivers.toml"
    good.write_text(WAIVER, encoding="utf-8")
    assert run("waivers", "check", str(good)) == 0
    assert capsys.readouterr().err == f"{good}: 1 waiver, nothing wrong\n"
    good.write_text(WAIVER.replace("own-name", "own-nane").replace("owner", "ower"), encoding="utf-8")
    assert run("waivers", "check", str(good)) == 2
    told = capsys.readouterr().err.splitlines()
    assert len([line for line in told if line.startswith(f"error: {good}, line ")]) >= 2
    assert "own-name" in "".join(told)
    assert run("waivers", "check") == 2


def test_a_waived_finding_does_not_count(run: Run, snapshot: Write, tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(WAIVER, encoding="utf-8")
    flags = ("--fail-on", "medium", "--waivers", str(tmp_path / "w.toml"))
    assert run("scan", "--snapshot", snapshot("bad"), *flags) == 0
    assert run("scan", "--snapshot", snapshot("bad", "worse"), *flags) == 1


def test_checks_are_listed_and_shown(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("checks") == 0
    assert "own-name" in capsys.readouterr().out
    assert run("checks", "own-name") == 0
    assert capsys.readouterr().out.startswith("# own-name\n")
    assert run("checks", "own-nam") == 2
    assert "did you mean `own-name`" in capsys.readouterr().err


def test_the_role_is_json_alone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("permissions", "--management-group", "contoso") == 0
    role = json.loads(capsys.readouterr().out)
    assert role["AssignableScopes"] == ["/providers/Microsoft.Management/managementGroups/contoso"]
    assert role["DataActions"] == []
    assert not any(action.endswith(("/write", "/delete", "*")) for action in role["Actions"])
