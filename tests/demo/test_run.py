"""The demonstration played over the wire: reports, drift, and every verdict that the estate was written for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditor.cli.commands.explain import explained
from auditor.demo import DemoResult, run
from auditor.errors import UsageProblem
from auditor.findings import Finding, Report
from auditor.i18n import Language, translator
from auditor.report import read_report
from auditor.values import Outcome
from tests.demo import expected

CLOUDS = ("public", pytest.param("china", marks=pytest.mark.long))


@pytest.fixture(scope="module", params=CLOUDS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, DemoResult]:
    return request.param, run(cloud=request.param, output=tmp_path_factory.mktemp("demo") / "out", lang="en")


def short_name(finding: Finding) -> str:
    """The name by which `expected` calls the finding's resource."""
    parts = finding.resource.id.casefold().split("/")
    if parts[-2] == "roledefinitions":
        return str(finding.facts.get("role", parts[-1])).casefold()
    if parts[-2] == "extensions":
        return f"{parts[parts.index('managedclusters') + 1]}/{parts[-1]}"
    if parts[-2] == "subscriptions":
        return finding.resource.name.casefold()
    return parts[-1]


def found(report: Report, check: str, name: str) -> list[Finding]:
    """The findings that `expected` means by (check, name)."""
    resource, _, part = name.partition("#")
    return [
        finding
        for finding in report.findings
        if finding.check == check
        and short_name(finding) == resource
        and (not part or (finding.part or "").casefold().rsplit("/", 1)[-1] == part)
    ]


def worst(findings: list[Finding]) -> Outcome | None:
    return min((finding.outcome for finding in findings), key=lambda outcome: outcome.rank, default=None)


def checks_of(report: Report) -> set[str]:
    return set(report.run.catalogue.checks)


def compared(report: Report, wanted: expected.Expected) -> Iterator[str]:
    """A line for each expectation that the report does not meet; checks not in the catalogue are passed over."""
    for (check, name), outcome in wanted.items():
        if check not in checks_of(report):
            continue
        got = worst(found(report, check, name))
        if got != outcome:
            reasons = [finding.reason for finding in found(report, check, name)]
            yield f"{check} of {name}: expected {outcome}, found {got} {reasons}"


def test_verdicts_of_the_first_night(played: tuple[str, DemoResult]) -> None:
    cloud, result = played
    own = expected.ONLY_IN_PUBLIC if cloud == "public" else expected.ONLY_IN_CHINA
    assert list(compared(result.nights[0], {**expected.FIRST_NIGHT, **own})) == []


def test_reasons_of_the_first_night(played: tuple[str, DemoResult]) -> None:
    report = played[1].nights[0]
    for (check, name), reason in expected.REASONS.items():
        if check in checks_of(report):
            assert any(reason in finding.reasons for finding in found(report, check, name)), (check, name)


def test_verdicts_of_the_second_night(played: tuple[str, DemoResult]) -> None:
    assert list(compared(played[1].nights[1], expected.SECOND_NIGHT)) == []


def test_drift_of_the_second_night(played: tuple[str, DemoResult]) -> None:
    report = played[1].nights[1]
    wrong = []
    for (check, name), state in expected.DRIFT.items():
        if check in checks_of(report):
            states = {finding.drift.state for finding in found(report, check, name) if finding.drift is not None}
            if state not in states:
                wrong.append(f"{check} of {name}: expected {state}, found {sorted(states)}")
    assert wrong == []


def test_what_could_not_be_read_on_the_third_night_is_unverified(played: tuple[str, DemoResult]) -> None:
    report = played[1].nights[2]
    for check, name in sorted(expected.UNVERIFIED):
        if check in checks_of(report):
            states = {finding.drift.state for finding in found(report, check, name) if finding.drift is not None}
            assert states == {"unverified"}, (check, name)


def test_two_nights_are_complete_and_the_third_is_not(played: tuple[str, DemoResult]) -> None:
    assert [night.run.complete for night in played[1].nights] == [True, True, False]
    assert [night.run.cloud for night in played[1].nights] == [played[0]] * 3


def test_each_night_is_compared_with_the_one_before(played: tuple[str, DemoResult]) -> None:
    first, second, third = played[1].nights
    assert first.baseline is None
    assert second.baseline is not None
    assert second.baseline.run_id == first.run.id
    assert third.baseline is not None
    assert third.baseline.run_id == second.run.id


def test_resources_that_came_and_went_are_named(played: tuple[str, DemoResult]) -> None:
    changes = played[1].nights[1].resources
    assert "aci-score-blue" in {each.name for each in changes.appeared}
    assert "aci-jobs" in {each.name for each in changes.disappeared}


def test_the_reports_of_the_last_two_nights_are_written_and_read_back(played: tuple[str, DemoResult]) -> None:
    result = played[1]
    names = [(path.parent.name, path.name) for path in result.written]
    assert names == [
        ("out", "report.html"), ("out", "report.json"), ("night-3", "report.html"), ("night-3", "report.json"),
    ]  # fmt: skip
    assert read_report(result.written[1]).run.id == result.nights[1].run.id
    assert read_report(result.written[3]).run.id == result.nights[2].run.id
    assert "<script>alert(" not in result.written[0].read_text(encoding="utf-8")


def test_a_failure_of_the_second_night_is_confirmed_and_tells_who_made_it_so(played: tuple[str, DemoResult]) -> None:
    [finding] = [
        each for each in found(played[1].nights[1], "aci-subnet-delegated", "snet-aci") if each.outcome is Outcome.FAIL
    ]
    assert finding.confirmed is True
    assert finding.drift is not None
    [change] = finding.drift.changes
    assert change.by.startswith("jonas.weber@")
    assert (change.before, change.after) == ("Microsoft.ContainerInstance/containerGroups", None)
    assert change.at == "2026-11-24T14:51:33Z"


def test_every_drift_of_the_second_night_has_an_author(played: tuple[str, DemoResult]) -> None:
    report = played[1].nights[1]
    drifted = [each for each in report.findings if each.drift and each.drift.state in ("new", "changed", "resolved")]
    assert [(each.check, each.resource.name) for each in drifted if each.drift and not each.drift.changes] == []
    assert {each.confirmed for each in drifted if each.outcome is Outcome.FAIL} == {True}


def test_the_index_lags_on_the_second_night_and_nothing_alarms(played: tuple[str, DemoResult]) -> None:
    report = played[1].nights[1]
    [finding] = found(report, "aks-private-api-server", "aks-batch-prod")
    assert (finding.outcome, finding.confirmed) == (Outcome.PASS, True)
    [note] = [each for each in report.run.notes if each.kind == "index-lag"]
    assert finding.id in note.text
    assert not [each for each in played[1].nights[2].run.notes if each.kind == "index-lag"]


def test_drift_is_told_in_five_lines(played: tuple[str, DemoResult]) -> None:
    lines = played[1].drift
    assert len(lines) == 5
    assert not [line for line in lines if "\n" in line]
    assert "on aks-vision-dev/azureml" in lines[1] or "aml-aks-internal-lb" not in checks_of(played[1].nights[1])
    assert lines[3].startswith("resources: aci-score-blue")


def test_requests_are_counted_by_table(played: tuple[str, DemoResult]) -> None:
    counted = {each.table: each for each in played[1].requests}
    assert counted["resources"].rows > counted["resources"].requests > 0
    assert counted["authorizationresources"].rows > 0
    asked = sum(
        number
        for night in played[1].nights
        for operation, number in night.run.requests.by_operation.items()
        if operation.startswith("ResourceGraph/")
    )
    assert sum(each.requests for each in played[1].requests) == asked


def test_times_are_the_estates_own(played: tuple[str, DemoResult]) -> None:
    assert [night.run.started_at[:10] for night in played[1].nights] == ["2026-11-24", "2026-11-25", "2026-11-26"]


def _never(stage: str, done: int, total: int | None) -> None:
    raise AssertionError("nothing may be scanned")


@pytest.mark.parametrize(
    ("cloud", "place", "said"),
    [
        ("usgov", lambda folder: folder / "out", "not at home"),
        ("public", lambda folder: _file_in(folder), "is a file"),
    ],
    ids=["a cloud without names in the estate", "an output that is a file"],
)
def test_what_cannot_work_is_said_before_the_first_scan(
    tmp_path: Path, cloud: str, place: Callable[[Path], Path], said: str
) -> None:
    with pytest.raises(UsageProblem, match=said):
        run(cloud=cloud, output=place(tmp_path), progress=_never)


def _file_in(folder: Path) -> Path:
    path = folder / "out"
    path.write_text("", encoding="utf-8")
    return path


README = Path(__file__).resolve().parents[2] / "README.md"
REPLAYED = re.compile(r"^\$ auditor explain ([0-9a-f]{20}) --report \S+\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_readme_replays_two_verdicts_of_the_second_night(played: tuple[str, DemoResult]) -> None:
    cloud, result = played
    if cloud != "public":
        pytest.skip("the README shows the public cloud")
    shown = REPLAYED.findall(README.read_text(encoding="utf-8"))
    assert len(shown) == 2
    for finding_id, text in shown:
        [finding] = [each for each in result.nights[1].findings if each.id == finding_id]
        lines = iter(explained(finding, translator(Language.ENGLISH)))
        for line in text.splitlines():
            assert line.strip() in ("…", "") or line in lines, (finding_id, line)  # in order: `lines` moves on
