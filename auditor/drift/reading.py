"""Whether a run read the scope that a resource lies in: only then does its absence prove anything."""

from __future__ import annotations

from collections.abc import Callable

from auditor.findings import Run
from auditor.values import ResourceId


def was_read(run: Run) -> Callable[[str], bool]:
    """The question "would this run have seen this resource id, if it existed?", answered from the run's record alone.

    - An unread scope or a required gap at or above the resource: no.
    - A read scope above it by path: yes.
    - Else its scope can only be a management group, whose members the path does not tell: yes if management groups were
      asked for, and nothing at all is missing. A resource outside all scopes was never read.
    """
    read = [key for scope in run.scopes if scope.read and (key := _parsed(scope.id))]
    unread = [key for scope in run.scopes if not scope.read and (key := _parsed(scope.id))]
    gaps = [gap.scope for gap in run.gaps if gap.required]
    missing = [key for scope in gaps if (key := _parsed(scope))]
    spoiled = any(_parsed(scope) is None for scope in gaps)  # a gap without a place may lie anywhere
    groups_whole = any(map(_by_hierarchy, read)) and not unread and not gaps

    def answer(resource_id: str) -> bool:
        resource = _parsed(resource_id)
        if resource is None or spoiled:
            return False
        if any(scope.covers(resource) or _by_hierarchy(scope) for scope in missing):
            return False
        if any(scope.covers(resource) for scope in unread):
            return False
        return any(scope.covers(resource) for scope in read) or groups_whole

    return answer


def _by_hierarchy(scope: ResourceId) -> bool:
    """Whether the scope's members are told by the tenant's hierarchy instead of by their path."""
    return scope.subscription_id is None


def _parsed(text: str) -> ResourceId | None:
    try:
        return ResourceId.parse(text)
    except ValueError:
        return None
