"""Resources that are not what their ids suggest: told where it is proved, and not where it is not."""

from __future__ import annotations

import pytest

from auditor.drift import Against, compare
from auditor.drift.sameness import KINDS
from auditor.findings import ResourceChange
from auditor.values import ResourceId
from tests.nights import ONE, TWO, night, resource

HERE, THERE, OTHER = resource("aks"), resource("aks", TWO), resource("aks-2")
WORKSPACE = resource("aks", TWO, "Microsoft.MachineLearningServices/workspaces")


def thing(id_: str, **fingerprint: str) -> ResourceChange:
    parsed = ResourceId.parse(id_)
    return ResourceChange(id=id_, type=parsed.type, name=parsed.name, fingerprint=fingerprint)


def told(then: list[ResourceChange] | None, now: list[ResourceChange] | None) -> list[tuple[str, str]]:
    against = Against(night(1), resources=None if then is None else tuple(then))
    report = compare(night(2), against, resources=now)
    # comparing anew replaces what an earlier comparison said
    assert compare(report, against, resources=now).run.notes == report.run.notes
    return [(note.kind, note.text) for note in report.run.notes if note.kind in KINDS]


CASES = {
    "moved": ([thing(HERE, principal="p")], [thing(THERE, principal="P")], ["moved"]),
    "renamed": ([thing(HERE, principal="p")], [thing(OTHER, principal="p")], ["renamed"]),
    "created anew": ([thing(HERE, fqdn="a.x")], [thing(HERE.upper(), fqdn="b.x")], ["recreated"]),
    "created anew with its identity": (
        [thing(HERE, principal="p", fqdn="a.x")],
        [thing(HERE, principal="q", fqdn="b.x")],
        ["recreated"],
    ),
    "only another identity": (
        [thing(HERE, principal="p", fqdn="a.x")],
        [thing(HERE, principal="q", fqdn="A.x")],
        ["identity-replaced"],
    ),
    "moved, and another in its old place": (
        [thing(HERE, principal="p", fqdn="a.x")],
        [thing(HERE, principal="q", fqdn="b.x"), thing(THERE, principal="p", fqdn="a.x")],
        ["recreated"],
    ),
    "nothing changed": ([thing(HERE, principal="p", fqdn="a")], [thing(HERE, principal="p", fqdn="a")], []),
    "another came": ([thing(HERE, principal="p")], [thing(THERE, principal="q")], []),
    "of the same name without a fact": ([thing(HERE)], [thing(THERE)], []),
    "a fact on one side": ([thing(HERE)], [thing(HERE, principal="p", fqdn="a.x")], []),
    "a fact that went": ([thing(HERE, principal="p", fqdn="a.x")], [thing(HERE)], []),
    "a domain name elsewhere": ([thing(HERE, fqdn="a.x")], [thing(THERE, fqdn="a.x")], []),
    "the index shows both places": (
        [thing(HERE, principal="p")],
        [thing(HERE, principal="p"), thing(THERE, principal="p")],
        [],
    ),
    "two that claim one identity": (
        [thing(HERE, principal="p"), thing(OTHER, principal="p")],
        [thing(THERE, principal="p")],
        [],
    ),
    "another type": ([thing(HERE, principal="p")], [thing(WORKSPACE, principal="p")], []),
    "a baseline from a file": (None, [thing(HERE, principal="p")], []),
    "only a file": ([thing(HERE, principal="p")], None, []),
}


@pytest.mark.parametrize(("then", "now", "kinds"), CASES.values(), ids=CASES)
def test_told_apart(then: list[ResourceChange] | None, now: list[ResourceChange] | None, kinds: list[str]) -> None:
    assert [kind for kind, _ in told(then, now)] == kinds


def test_a_note_names_both_places_and_the_proof() -> None:
    [(_, text)] = told([thing(HERE, principal="p-1")], [thing(THERE, principal="p-1")])
    assert text == f"{THERE} is {HERE} of the baseline, moved: its system-assigned identity is the same (p-1)"
    [(_, text)] = told([thing(HERE, fqdn="a.x")], [thing(HERE, fqdn="b.x")])
    assert text.endswith("was a.x, and is b.x")


def test_names_with_braces_are_only_names() -> None:
    odd = resource("{old}", ONE)
    [(_, text)] = told([thing(odd, principal="p")], [thing(THERE, principal="p")])
    assert odd in text
