"""The loop of confirmation without a wire: what ARM says is a table, checks and comparison are the real ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from auditor.collect.failures import Failure
from auditor.confirm import INDEX_LAG, Judged, Overrides, confirm
from auditor.confirm.confirming import MOST_READS, MOST_ROUNDS, Answer, Row, same
from auditor.confirm.targets import AssignmentsOf, One, Target
from auditor.drift import compare, from_report
from auditor.evaluate import evaluate
from auditor.findings import Finding, Report, summarize
from auditor.inventory import Builder, Header
from auditor.values import fold
from tests.estate import (
    CONTROL,
    NOW,
    SUB,
    Thing,
    allow_out,
    attached,
    catalogue,
    cluster,
    deny_out,
    grant,
    nsg,
    pool,
    registry,
    role,
    rows,
    service_tags,
    subnet,
    terms,
)
from tests.nights import night

PRIVATE, ACR, JOIN = "aks-private-api-server", "nsg-acr-outbound", "aks-identity-subnet-join-effective"
FORBIDDEN = Failure("forbidden", "HTTP 403 AuthorizationFailed", 403)


@dataclass
class Azure:
    """An index and the truth behind it, in rows; what ARM was asked."""

    index: list[Row]
    truth: dict[str, Row]
    refuses: Mapping[str, Failure] = field(default_factory=dict)
    asked: list[Target] = field(default_factory=list)

    def judged(self, checks: Iterable[str], baseline: Report | None, overrides: Overrides | None = None) -> Judged:
        builder = Builder()
        builder.header = Header(NOW, "public", "t", (f"/subscriptions/{SUB}",))
        for resource_id, row in (overrides or {}).items():
            builder.override(resource_id, None if row is None else json.dumps(row).encode())
        for row in self.index:
            builder.add(json.dumps(row).encode())
        inventory = builder.build(now=NOW)
        found = evaluate(inventory, catalogue().select(list(checks), []), terms())
        empty = night(2, checks=dict.fromkeys(checks, 1), scopes=[f"/subscriptions/{SUB}"])
        report = msgspec.structs.replace(empty, findings=found, summary=summarize(found, inventory.counts()))
        return Judged(compare(report, from_report(baseline) if baseline else None), inventory)

    def ask(self, targets: list[Target]) -> dict[Target, Answer | Failure]:
        self.asked += targets
        return {target: self._answer(target) for target in targets}

    def _answer(self, target: Target) -> Answer | Failure:
        if target.key in self.refuses:
            return self.refuses[target.key]
        match target:
            case One():
                return {target.id: self.truth.get(target.key)}
            case AssignmentsOf():
                return {
                    row["id"]: row
                    for row in self.truth.values()
                    if row["type"].endswith("roleassignments")
                    and row["properties"]["principalId"] == target.principal
                    and target.key.startswith(fold(row["properties"]["scope"]))
                }


def by_id(*things: Thing | Iterable[Thing]) -> dict[str, Row]:
    return {fold(row.get("id", str(number))): row for number, row in enumerate(rows(*things)[0])}


def played(
    *checks: str,
    then: list[Thing],
    index: list[Thing],
    truth: list[Thing] | None = None,
    refuses: Mapping[str, Failure] | None = None,
) -> tuple[Report, Azure]:
    """The confirmed report of a night whose index shows `index` while ARM knows `truth`, after a night with `then`."""
    before = Azure(list(by_id(then).values()), {}).judged(checks, None).report
    azure = Azure(list(by_id(index).values()), by_id(truth or index), refuses or {})
    first = azure.judged(checks, before)
    again = confirm(first, azure.index, ask=azure.ask, again=lambda overrides: azure.judged(checks, before, overrides))
    return again.report, azure


def only(report: Report, check: str) -> Finding:
    [finding] = [each for each in report.findings if each.check == check]
    return finding


def said(finding: Finding) -> tuple[str, str, bool | None, str | None]:
    return str(finding.outcome), finding.reason, finding.confirmed, finding.drift.state if finding.drift else None


def notes(report: Report, kind: str = INDEX_LAG) -> list[str]:
    return [note.text for note in report.run.notes if note.kind == kind]


ML = fold(cluster().id)


def test_arm_agrees() -> None:
    report, azure = played(PRIVATE, then=[cluster()], index=[cluster(private=False)])
    assert said(only(report, PRIVATE)) == ("fail", "public", True, "new")
    assert notes(report) == []
    assert azure.asked == [One.of(ML)]


def test_arm_contradicts() -> None:
    report, _ = played(PRIVATE, then=[cluster()], index=[cluster(private=False)], truth=[cluster()])
    assert said(only(report, PRIVATE)) == ("pass", "private", True, "unchanged")
    assert notes(report) == [
        f"finding {only(report, PRIVATE).id} on ml: Resource Graph still said fail (public); ARM says pass (private)"
    ]
    assert report.summary.outcomes["pass"] == 1
    assert report.summary.drift == {"new": 0, "resolved": 0, "changed": 0, "unchanged": 1, "unverified": 0}


def test_arm_knows_nothing_of_it() -> None:
    other = cluster("other")
    report, _ = played(PRIVATE, then=[cluster(), other], index=[cluster(private=False), other], truth=[other])
    assert [each.resource.name for each in report.findings] == ["other"]
    [note] = notes(report)
    assert note.endswith("by ARM there is no such finding any more")


def test_what_could_not_be_read_keeps_the_alarm() -> None:
    report, _ = played(PRIVATE, then=[cluster()], index=[cluster(private=False)], truth=[], refuses={ML: FORBIDDEN})
    assert said(only(report, PRIVATE)) == ("fail", "public", False, "new")
    assert notes(report) == []
    assert notes(report, "confirm") == [
        "1 new or changed failure could not be read again from ARM (forbidden: HTTP 403 AuthorizationFailed)"
    ]


def test_an_answer_that_decides_nothing_keeps_the_alarm() -> None:
    """A row of the wrong shape makes the check undecided, which is no reason to fall silent."""
    broken = by_id(cluster())
    broken[ML]["properties"]["agentPoolProfiles"] = "masked"
    before = Azure(list(by_id(cluster()).values()), {}).judged([PRIVATE], None).report
    azure = Azure(list(by_id(cluster(private=False)).values()), broken)
    first = azure.judged([PRIVATE], before)
    report = confirm(first, azure.index, ask=azure.ask, again=lambda over: azure.judged([PRIVATE], before, over)).report
    assert said(only(report, PRIVATE)) == ("fail", "public", False, "new")
    assert report.summary.outcomes == {"pass": 0, "warn": 0, "fail": 1, "unknown": 0, "not-applicable": 0}


@pytest.mark.parametrize("state", ["the same failure", "no baseline"])
def test_old_failures_are_not_asked_about(state: str) -> None:
    red = [cluster(private=False)]
    if state == "no baseline":
        azure = Azure(list(by_id(red).values()), {})
        first = azure.judged([PRIVATE], None)
        report = confirm(first, azure.index, ask=azure.ask, again=lambda over: first).report
    else:
        report, azure = played(PRIVATE, then=red, index=red)
    assert only(report, PRIVATE).confirmed is None
    assert azure.asked == []


TAGS = service_tags(AzureContainerRegistry=["20.1.0.0/16"], AzureContainerRegistry__EastUS2=["20.1.0.0/16"])


def fenced(*rules: dict[str, Any]) -> list[Thing]:
    """A cluster behind a group with these rules."""
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)))
    return [*attached(made, registry=registry()), TAGS]


ALL, HALF = deny_out(100, to="20.1.0.0/16", name="d"), deny_out(100, to="20.1.0.0/17", name="d")


def test_another_effect_is_arms_to_tell() -> None:
    report, _ = played(ACR, then=fenced(), index=fenced(HALF), truth=fenced(ALL))
    finding = only(report, ACR)
    assert said(finding) == ("fail", "denied", True, "new")
    assert len(notes(report)) == 1


def test_newer_rows_bring_failures_that_are_confirmed_by_the_same_reading() -> None:
    """The index denies images only; by ARM the rule denies the registry of a second workspace's subnet as well."""
    report, azure = played(
        ACR,
        "nsg-default-outbound-kept",
        then=fenced(),
        index=fenced(HALF),
        truth=fenced(ALL, allow_out(90, to="1.2.3.4")),
    )
    fails = [each for each in report.findings if each.outcome == "fail"]
    assert len(fails) > 1
    assert {each.confirmed for each in fails} == {True}
    assert len(azure.asked) == len(set(azure.asked)) == 1


def test_half_of_the_proof_is_none() -> None:
    """Right and identity decide together; where one of them could not be read again, the index's verdict stands."""
    nodes = subnet()
    held = [cluster(nodes=nodes), grant(on=nodes), role("4d97b98b-1d4f-4787-a291-c67834d212e7", "Microsoft.Network/*")]
    lost = held[:1] + held[2:]
    report, azure = played(JOIN, then=held, index=lost, truth=held, refuses={ML: FORBIDDEN})
    assert AssignmentsOf.at(nodes.id, CONTROL) in azure.asked
    assert [said(each)[0::2] for each in report.findings] == [("fail", False)]


def test_an_assignment_that_only_the_index_has_is_taken_back() -> None:
    nodes = subnet()
    powers = [role("4d97b98b-1d4f-4787-a291-c67834d212e7", "Microsoft.Network/*")]
    reader = role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "*/read")
    held = [cluster(nodes=nodes), grant(on=nodes), *powers, reader]
    index = [cluster(nodes=nodes), grant(CONTROL, "acdd72a7-3385-48ef-bd42-f606fba81ae7", on=nodes), *powers, reader]
    report, _ = played(JOIN, then=held, index=index, truth=[cluster(nodes=nodes), *powers, reader])
    finding = only(report, JOIN)
    assert (finding.outcome, finding.confirmed) == ("fail", True)
    assert not [each for each in finding.evidence if "roleAssignments" in each.resource]


def test_assignments_that_do_not_reach_the_scope_are_not_taken_back() -> None:
    """ARM was asked for what reaches one subnet: that it lists no assignment on the other one says nothing."""
    one, other = subnet("one", "10.0.0.0/24"), subnet("other", "10.0.1.0/24")
    made = cluster(pools=[pool(one), pool(other, name="second")], parts=[one, other])
    powers = [
        role("4d97b98b-1d4f-4787-a291-c67834d212e7", "Microsoft.Network/*"),
        role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "*/read"),
    ]
    stale = grant(CONTROL, "acdd72a7-3385-48ef-bd42-f606fba81ae7", on=one)
    then, now = [made, grant(on=one), grant(on=other), *powers], [made, grant(on=other), *powers]
    report, _ = played(JOIN, then=then, index=[*now, stale], truth=now)
    found = {(each.part or "").rsplit("/", 1)[-1]: said(each)[0::2] for each in report.findings}
    assert found == {"one": ("fail", True), "other": ("pass", None)}


def test_the_cap_is_kept_and_said() -> None:
    count = MOST_READS + 2
    then = [cluster(f"c{n:03}") for n in range(count)]
    report, azure = played(PRIVATE, then=then, index=[cluster(f"c{n:03}", private=False) for n in range(count)])
    confirmed = [each.confirmed for each in report.findings]
    assert (confirmed.count(True), confirmed.count(None), len(azure.asked)) == (MOST_READS, 2, MOST_READS)
    assert notes(report, "confirm") == [f"2 new or changed failures not tried: {MOST_READS} reads a scan at most"]


def test_rounds_end() -> None:
    """An estate that says something else each time it is judged does not keep a scan for ever."""
    azure = Azure(list(by_id(cluster(private=False)).values()), {})
    before = Azure(list(by_id(cluster()).values()), {}).judged([PRIVATE], None).report
    turns: list[int] = []

    def again(overrides: Overrides) -> Judged:
        turns.append(len(overrides))
        more = [cluster(f"new{len(turns)}", private=False)]
        return Azure(list(by_id(more).values()), {}).judged([PRIVATE], before)

    confirm(azure.judged([PRIVATE], before), azure.index, ask=azure.ask, again=again)
    assert len(turns) <= MOST_ROUNDS


SAME: dict[str, tuple[Row | None, Row | None, bool]] = {
    "casing and empty values": ({"id": "/A", "x": None, "y": []}, {"ID": "/a", "tags": {}}, True),
    "false is a value": ({"a": False}, {}, False),
    "zero is a value": ({"a": 0}, {}, False),
    "true and one": ({"a": True}, {"a": 2}, False),
    "order of a list": ({"a": [1, 2]}, {"a": [2, 1]}, False),
    "gone": (None, {"id": "/a"}, False),
    "both gone": (None, None, True),
}


@pytest.mark.parametrize(("one", "other", "yes"), SAME.values(), ids=SAME)
def test_rows_that_say_the_same(one: Row | None, other: Row | None, yes: bool) -> None:
    assert same(one, other) is yes
    assert same(other, one) is yes
