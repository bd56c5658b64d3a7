"""The history itself: what can be asked of it, and told to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from types import TracebackType

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from auditor.drift import Against
from auditor.findings import Finding, Report, ResourceChange
from auditor.history import baseline, pruning, reports, saving
from auditor.history.engine import place, reading, writing
from auditor.history.problems import HistoryProblem, went_away
from auditor.history.records import RunRow, Stay, TrendPoint
from auditor.history.rows import scope_set_key
from auditor.history.tables import run

Beside = Callable[[Connection, Report], None]
"""What else is written in the transaction that keeps a run: both stand afterwards, or, where it raises, neither."""

PAUSES_S = (1.0, 2.0, 4.0, 8.0)
"""How long to wait for a database server that went away before each new try."""


class History:
    """Past runs in one database. Every call is one transaction; every failure is a HistoryProblem."""

    def __init__(self, engine: Engine, pause: Callable[[float], None] = time.sleep) -> None:
        self._engine = engine
        self._pause = pause

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def place(self) -> str:
        """Where it lies, fit to be printed."""
        return place(self._engine)

    def close(self) -> None:
        """Give up all connections."""
        self._engine.dispose()

    def save(
        self,
        report: Report,
        resources: Iterable[ResourceChange] | None = None,
        *,
        scope_read: Callable[[str], bool] | None = None,
        beside: Beside | None = None,
    ) -> None:
        """Keep a run, whole or not at all. Saving the same run again changes nothing.

        `resources` are the run's audited resources; `scope_read` says whether the run would have seen a resource id if
        it existed (None: told from the run's record). A server that goes away meanwhile is tried again for a while, so
        `beside` may be called for a run that an earlier try has kept, its answer lost.
        """
        listed = None if resources is None else tuple(resources)
        for pause_s in (*PAUSES_S, None):
            try:
                with writing(self._engine) as connection:
                    saving.save(connection, report, listed, scope_read)
                    if beside is not None:
                        beside(connection, report)
                return
            except HistoryProblem as problem:
                if pause_s is None or not went_away(problem):
                    raise
                self._pause(pause_s)

    def baseline_for(self, scopes: Iterable[str], choice: str = "auto") -> Against | None:
        """The baseline of a scan over these scopes: `auto`, `none`, or the id (or its unique beginning) of a run.

        `auto` is the scope set's pinned run, else its newest complete one, else None.
        """
        if choice == "none":
            return None
        with reading(self._engine) as connection:
            return baseline.choose(connection, scope_set_key(scopes), choice)

    def report(self, run_id: str) -> Report:
        """A run's report as it was saved."""
        with reading(self._engine) as connection:
            return reports.report_of(connection, reports.find_run(connection, run_id))

    def runs(self, scopes: Iterable[str] | None = None, limit: int | None = None) -> tuple[RunRow, ...]:
        """Runs, newest first: of one scope set, or of all."""
        with reading(self._engine) as connection:
            return reports.list_runs(connection, None if scopes is None else scope_set_key(scopes), limit)

    def show(self, run_id: str) -> RunRow:
        """One run by its id or the unique beginning of it."""
        with reading(self._engine) as connection:
            return reports.row_of(connection, reports.find_run(connection, run_id))

    def trend(self, scopes: Iterable[str], limit: int = 30) -> tuple[TrendPoint, ...]:
        """The newest nights of a scope set, oldest first."""
        with reading(self._engine) as connection:
            return reports.trend(connection, scope_set_key(scopes), limit)

    def finding(self, finding_id: str, run_id: str | None = None) -> tuple[str, Finding] | None:
        """A finding as the newest run that has it (or the given run) reported it, with that run's id."""
        with reading(self._engine) as connection:
            return reports.find_finding(connection, finding_id, run_id)

    def timeline(self, finding_id: str) -> tuple[Stay, ...]:
        """What became of a finding over the runs, oldest first."""
        with reading(self._engine) as connection:
            return reports.timeline(connection, finding_id)

    def pin(self, run_id: str) -> RunRow:
        """Accept a run as its scope set's baseline; an earlier pin of that scope set is taken off."""
        with writing(self._engine) as connection:
            found = reports.find_run(connection, run_id)
            of_scope_set = run.c.scope_set_id == found.scope_set_id
            connection.execute(sa.update(run).where(of_scope_set, run.c.pinned).values(pinned=False))
            connection.execute(sa.update(run).where(run.c.id == found.id).values(pinned=True))
            return reports.row_of(connection, reports.find_run(connection, found.id))

    def unpin(self, run_id: str) -> RunRow:
        """Take the pin off a run; a run that is not pinned stays as it is."""
        with writing(self._engine) as connection:
            found = reports.find_run(connection, run_id)
            connection.execute(sa.update(run).where(run.c.id == found.id).values(pinned=False))
            return reports.row_of(connection, reports.find_run(connection, found.id))

    def prune(self, *, keep: int | None = None, before: str | None = None, dry_run: bool = False) -> tuple[RunRow, ...]:
        """Remove runs, and tell which: those beyond the `keep` newest of their scope set that started before `before`.

        Either condition may be left out (None: it does not spare any run), not both. `before` is RFC 3339 in UTC.
        Never taken: pinned runs, and the newest complete run of a scope set.
        """
        if keep is None and before is None:
            return ()
        if dry_run:
            with reading(self._engine) as connection:
                return pruning.superfluous(connection, keep, before)
        with writing(self._engine) as connection:
            return pruning.prune(connection, keep, before)
