"""The nearest misses: what a principal does hold, and who holds what it lacks (requirements 8.10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.access.asking import Asked
from auditor.access.decision import Miss, MissKind
from auditor.access.search import Search
from auditor.values import fold

_MOST_TOLD = 12  # the nearest ones tell the mistake, a hundredth does not
_TELLING = {
    kind: rank
    for rank, kind in enumerate(
        (
            MissKind.ELIGIBLE,
            MissKind.EXPIRED,
            MissKind.PRINCIPAL_GONE,
            MissKind.NOT_ACTION,
            MissKind.OTHER_PRINCIPAL,
            MissKind.NOT_REACHING,
            MissKind.WRONG_ROLE,
        )
    )
}

Distanced = tuple[int, Miss]
"""A miss and how far it is: fewer is nearer, within one kind."""


def nearest_misses(search: Search, asked: Asked, tried: Iterable[Distanced]) -> tuple[Miss, ...]:
    """The most telling misses first: would do here, then another's, then at another scope, then of another role."""
    found = [*tried, *_others(search, asked), *_elsewhere(search, asked)]
    found.sort(key=lambda item: (_TELLING[item[1].kind], item[0], fold(item[1].assignment.id)))
    return tuple(miss for _, miss in found[:_MOST_TOLD])


def _others(search: Search, asked: Asked) -> Iterator[Distanced]:
    """What the other named principals hold here that would do."""
    for whose, object_id in search.others.items():
        other = fold(object_id)
        if other == search.principal.key:
            continue
        held = search.model.held_by(other)
        for distance, key in enumerate(search.chain.keys):
            for assignment in held.get(key, ()):
                if search.would_do(asked, assignment):
                    definition = search.model.definition(assignment.role_guid)
                    yield distance, Miss(MissKind.OTHER_PRINCIPAL, (asked.asked,), assignment, definition, whose)


def _elsewhere(search: Search, asked: Asked) -> Iterator[Distanced]:
    """What the principal holds that would do, at scopes that do not reach; the most similar scope first."""
    reached = set(search.chain.keys)
    for holder, group in search.holders:
        for key, assignments in search.model.held_by(holder).items():
            if key in reached or search.chain.may_hold(key):
                continue
            for assignment in assignments:
                if search.would_do(asked, assignment):
                    definition = search.model.definition(assignment.role_guid)
                    miss = Miss(MissKind.NOT_REACHING, (asked.asked,), assignment, definition, via_group=group)
                    yield -_common_segments(key, search.scope.key), miss


def _common_segments(left: str, right: str) -> int:
    """How many leading segments two folded ids share."""
    count = 0
    for one, other in zip(left.split("/"), right.split("/"), strict=False):
        if one != other:
            break
        count += 1
    return count
