"""Deny assignments: which ones apply, which may, and whether all were read (requirements 8.5)."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.access.asking import Asked
from auditor.access.assignments import DenyAssignment
from auditor.access.roles import Match
from auditor.access.search import Search
from auditor.values import Unread


def reaching_denies(search: Search) -> Iterator[DenyAssignment]:
    """The deny assignments at the scope, above it, or at a place that is not known to be neither."""
    by_scope = search.model.denies_by_scope
    for key in search.chain.keys:
        yield from by_scope.get(key, ())
    yield from by_scope.get(None, ())
    if search.chain.unread is not None:
        for place, denies in by_scope.items():
            if place is not None and search.chain.may_hold(place):
                yield from denies


def applies(search: Search, deny: DenyAssignment, asked: Asked) -> bool | Unread:
    """Whether the deny assignment keeps the principal from what is asked, at the search's scope."""
    return both(deny_reaches(search, deny), covers(search, deny, asked))


def deny_reaches(search: Search, deny: DenyAssignment) -> bool | Unread:
    """Whether the deny assignment's scope is the search's, or one above it that hands it down."""
    if isinstance(deny.scope, Unread):
        return Unread(deny.id, "its scope could not be read", deny.scope.hint, "deny-unread")
    if deny.scope == search.scope:
        return True
    if deny.not_to_children:
        return False
    return search.model.hierarchy.reaches(deny.scope, search.scope)


def covers(search: Search, deny: DenyAssignment, asked: Asked) -> bool | Unread:
    """Whether the deny assignment, its scope aside, means the principal and what is asked."""
    if not deny.enforced:
        return False
    match = asked.denied_by(deny)
    if match in (Match.ABSENT, Match.SUBTRACTED):
        return False
    meant = _means(search, deny)
    if meant is False:
        return False
    if match is not Match.GRANTED or not asked.denial_condition(deny).harmless:
        return Unread(deny.id, "what it denies, or under which condition, is not known", "collect again", "deny-unread")
    return meant


def _means(search: Search, deny: DenyAssignment) -> bool | Unread:
    """Whether the principal, or a group it is in, is among the principals and not among the excluded ones."""
    holders = search.holder_ids
    if any(excluded.key in holders for excluded in deny.excluded):
        return False
    if isinstance(deny.principals, Unread):
        return Unread(deny.id, "whom it denies could not be read", deny.principals.hint, "deny-unread")
    unread = search.groups.missing
    if deny.everyone or any(one.key in holders for one in deny.principals):
        excluded_by_group = any(one.may_be_group for one in deny.excluded)
        return unread if unread is not None and excluded_by_group else True
    meant_by_group = any(one.may_be_group for one in deny.principals)
    return unread if unread is not None and meant_by_group else False


def expected_but_unread(search: Search) -> Unread | None:
    """What to say where deny assignments are known to exist at the scope or above and were not read."""
    lacking = search.model.deny_coverage.lacking(search.chain)
    expected = next((key for key in search.chain.keys if key in search.model.denies_expected), None)
    if lacking is None or expected is None:
        return None
    return Unread(lacking.what, f"deny assignments exist on {expected}, {lacking.why}", lacking.hint, "deny-unread")


def both(left: bool | Unread, right: bool | Unread) -> bool | Unread:
    """And, in three values: what is not known matters only where the other side does not already say no."""
    if left is False or right is False:
        return False
    return left if isinstance(left, Unread) else right
