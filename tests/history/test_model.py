"""Random sequences of nights, scanned and kept as a scan does, against a plain reading of design.md's definitions.

The model knows all nights in full and decides by walking back through them; it shares nothing with the engine but the
names of states. The estate has two subscriptions, a few resources, checks with several parts, effects, undecided
verdicts, unread subscriptions, and checks that come, go and change their version.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.drift import compare
from auditor.findings import Report, Scope
from auditor.history import open_history
from auditor.history.store import History
from tests.nights import ONE, TWO, finding, listed, night, resource

SUBSCRIPTIONS = {"one": ONE, "two": TWO}
RESOURCES = (("one", "a"), ("one", "b"), ("two", "c"))
CHECKS = ("p", "q")
PARTS = (None, "x")
DEVIATING = ("fail", "warn")

Resource = tuple[str, str]
Key = tuple[str, Resource, str | None]
Verdict = tuple[str, str | None]


@dataclass(frozen=True)
class Night:
    """What one scan found. `verdicts` holds only what a scan can make: of checks that ran, on resources it saw."""

    read: frozenset[str]
    versions: dict[str, int]
    present: frozenset[Resource]
    verdicts: dict[Key, Verdict]
    choice: str  # auto, none, or pin: this night's run is pinned after it was saved


verdict = st.tuples(
    st.sampled_from(["pass", "fail", "warn", "unknown", "not-applicable"]), st.sampled_from([None, "e", "f"])
)


@st.composite
def nights(draw: st.DrawFn) -> Night:
    some = draw(st.sets(st.sampled_from(sorted(SUBSCRIPTIONS))))
    read = frozenset(SUBSCRIPTIONS if draw(st.booleans()) else some)
    versions = {check: draw(st.sampled_from([1, 1, 1, 1, 2])) for check in CHECKS if draw(st.integers(0, 5))}
    present = frozenset(each for each in RESOURCES if each[0] in read and draw(st.integers(0, 3)))
    verdicts = {
        (check, each, part): draw(verdict)
        for check in versions
        for each in sorted(present)
        for part in PARTS
        if draw(st.integers(0, 3))
    }
    choice = draw(st.sampled_from(["auto", "auto", "auto", "auto", "none", "pin"]))
    return Night(read, {**versions, "always": 1}, present, verdicts, choice)


def report_of(number: int, each: Night) -> Report:
    return night(
        number,
        *(
            finding(
                check,
                resource(name, SUBSCRIPTIONS[subscription]),
                outcome,
                part=part,
                effect=None if effect is None else [effect],
            )
            for (check, (subscription, name), part), (outcome, effect) in each.verdicts.items()
        ),
        checks=each.versions,
        unread=[id_ for name, id_ in SUBSCRIPTIONS.items() if name not in each.read],
    )


class Model:
    """design.md's definitions over nights that are known in full."""

    def __init__(self, all_nights: list[Night]) -> None:
        self.nights = all_nights

    def baseline(self, now: int, choice: str) -> int | None:
        """The pinned night (the last to be pinned), else the newest complete one."""
        if choice == "none":
            return None
        pinned = [at for at in range(now) if self.nights[at].choice == "pin"]
        complete = [at for at in range(now) if self.nights[at].read == {"one", "two"}]
        return max(pinned, default=max(complete, default=None))

    def proves_over(self, at: int, key: Key) -> bool:
        """Whether a night without this finding shows that it is over."""
        check, where, _ = key
        each = self.nights[at]
        if check not in each.versions or where[0] not in each.read:
            return False
        return where not in each.present or not self.undecided(at, check, where[0])

    def undecided(self, at: int, check: str, subscription: str) -> bool:
        return any(
            other == check and where[0] == subscription and outcome == "unknown"
            for (other, where, _), (outcome, _) in self.nights[at].verdicts.items()
        )

    def then(self, base: int, key: Key) -> Verdict | str:
        """The last known verdict at the baseline; or `absent`, `undecided`, `unseen`."""
        for at in range(base, -1, -1):
            found = self.nights[at].verdicts.get(key)
            if found is not None and found[0] != "unknown":
                if self.nights[at].versions[key[0]] == self.nights[base].versions.get(key[0]):
                    return found
                break
            if found is None and self.proves_over(at, key):
                break
        if key in self.nights[base].verdicts:
            return "undecided"
        return "absent" if key[1][0] in self.nights[base].read else "unseen"

    def states(self, now: int, base: int) -> Iterator[tuple[Key, str, str | None]]:
        """(key, outcome, drift state) of everything that the report holds."""
        versions, before = self.nights[now].versions, self.nights[base].versions
        for check in CHECKS:
            for where in RESOURCES:
                for part in PARTS:
                    key = (check, where, part)
                    verdict_now = self.nights[now].verdicts.get(key)
                    comparable = check in versions and versions[check] == before.get(check)
                    if not comparable:
                        if verdict_now is not None:
                            yield key, verdict_now[0], None
                    elif verdict_now is not None:
                        yield key, verdict_now[0], self.made(verdict_now, self.then(base, key))
                    else:
                        told = self.missing(now, key, self.then(base, key))
                        if told is not None:
                            yield key, *told

    def made(self, now: Verdict, then: Verdict | str) -> str:
        known = not isinstance(then, str)
        deviated = known and then[0] in DEVIATING
        if now[0] == "unknown":
            return "unverified" if known else "unchanged"
        if now[0] in DEVIATING:
            if deviated:
                return "unchanged" if now == then else "changed"
            return "unchanged" if then == "unseen" else "new"
        return "resolved" if deviated else "unchanged"

    def missing(self, now: int, key: Key, then: Verdict | str) -> tuple[str, str] | None:
        check, where, _ = key
        if where[0] not in self.nights[now].read:
            if then == "undecided":
                return "unknown", "unchanged"
            return None if isinstance(then, str) else ("unknown", "unverified")
        if isinstance(then, str):
            return None
        if where in self.nights[now].present and self.undecided(now, check, where[0]):
            return "unknown", "unverified"
        return ("not-applicable", "resolved") if then[0] in DEVIATING else None

    def since(self, now: int, key: Key) -> int:
        """The first night of those, back from now, that saw this verdict or did not see at all."""
        first, verdict_now = now, self.nights[now].verdicts[key]
        for at in range(now - 1, -1, -1):
            found = self.nights[at].verdicts.get(key)
            if found == verdict_now:
                first = at
            elif (found is None and self.proves_over(at, key)) or (found is not None and found[0] != "unknown"):
                break
        return first


@pytest.fixture(scope="module")
def history() -> Iterator[History]:
    with open_history("sqlite://") as opened:
        yield opened


_estates = iter(range(10**9))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(nights(), min_size=2, max_size=7))
def test_every_state_of_every_night(history: History, all_nights: list[Night]) -> None:
    model = Model(all_nights)
    estate = f"/subscriptions/estate-{next(_estates)}"  # a scope set of its own for each example
    for now, each in enumerate(all_nights):
        bare = report_of(now + 1, each)
        bare = with_scope(bare, estate)
        resources = listed(*(resource(name, SUBSCRIPTIONS[where]) for where, name in sorted(each.present)))
        choice = "none" if each.choice == "none" else "auto"
        report = compare(
            bare, history.baseline_for((scope.id for scope in bare.run.scopes), choice), resources=resources
        )
        history.save(report, resources)
        assert history.report(report.run.id) == report
        base = model.baseline(now, choice)
        if base is None:
            assert report.baseline is None
            assert all(found.drift is None for found in report.findings)
        else:
            assert report.baseline is not None
            assert report.baseline.run_id == f"{estate}-run-{base + 1:03}"
            assert told(report) == {key: (outcome, state) for key, outcome, state in model.states(now, base)}
            check_since(model, now, report)
        if each.choice == "pin":
            history.pin(report.run.id)


def with_scope(report: Report, estate: str) -> Report:
    run = msgspec.structs.replace(
        report.run, id=f"{estate}-{report.run.id}", scopes=(*report.run.scopes, Scope(id=estate, read=True))
    )
    return msgspec.structs.replace(report, run=run)


def key_of(check: str, resource_id: str, part: str | None) -> Key:
    parts = resource_id.split("/")
    return (check, (parts[2], parts[-1]), part)


def told(report: Report) -> dict[Key, tuple[str, str | None]]:
    return {
        key_of(each.check, each.resource.id, each.part): (
            str(each.outcome),
            None if each.drift is None else each.drift.state,
        )
        for each in report.findings
    }


def check_since(model: Model, now: int, report: Report) -> None:
    """`since` of decided findings, where every run so far was compared: a run that was not cannot hand it on."""
    if any(each.choice == "none" for each in model.nights[: now + 1]):
        return
    for each in report.findings:
        key = key_of(each.check, each.resource.id, each.part)
        if key in model.nights[now].verdicts and each.outcome != "unknown" and each.drift is not None:
            assert each.drift.since == report_of(model.since(now, key) + 1, model.nights[now]).run.started_at, key
