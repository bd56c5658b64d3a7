"""What a history tells of its runs and findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auditor.findings import Summary

StayState = Literal["pass", "warn", "fail", "unknown", "not-applicable", "gone"]


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the history. Times are RFC 3339; `scopes` are its scope set: sorted, lower-case ids."""

    id: str
    started_at: str
    finished_at: str
    complete: bool
    pinned: bool
    scopes: tuple[str, ...]
    outcomes: dict[str, int]
    drift: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One night of a scope set, for a graph."""

    run_id: str
    started_at: str
    complete: bool
    pinned: bool
    summary: Summary


@dataclass(frozen=True, slots=True)
class Stay:
    """A finding during consecutive runs in which nothing about it changed.

    `last_run` is None if the newest run of its scope set still shows it; run ids are None where that run was pruned.
    """

    state: StayState
    since: str
    first_run: str | None
    last_run: str | None
    still: bool
