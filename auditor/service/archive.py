"""What the service reads from the history: runs page by page, findings by filters, drift. Everything by exact id."""

from __future__ import annotations

import fnmatch
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.findings import DriftState, Finding, Report, sort_key
from auditor.history.records import RunRow
from auditor.values import Outcome, Severity, fold

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from auditor.history.store import History

RUN_ID = r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}$"
FINDING_ID = r"^[0-9a-f]{20}$"
_KEPT = 4


class NotThere(Exception):
    """There is no such run or finding."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters over findings; an empty one lets everything through."""

    outcomes: Sequence[Outcome] = ()
    severities: Sequence[Severity] = ()
    drift: Sequence[DriftState] = ()
    check: str | None = None
    resource: str | None = None
    subscription: str | None = None
    waived: bool | None = None

    def takes(self, finding: Finding) -> bool:
        """Whether the finding passes every filter. `check` is a glob, `resource` a part of the id in any case."""
        state = None if finding.drift is None else finding.drift.state
        return (
            (not self.outcomes or finding.outcome in self.outcomes)
            and (not self.severities or finding.severity in self.severities)
            and (not self.drift or state in self.drift)
            and (self.check is None or fnmatch.fnmatchcase(finding.check, self.check))
            and (self.resource is None or fold(self.resource) in fold(finding.resource.id))
            and (
                self.subscription is None
                or (finding.resource.subscription_id or "").casefold() == self.subscription.casefold()
            )
            and (self.waived is None or (finding.waiver is not None) is self.waived)
        )


class Archive:
    """The history, for readers in several threads. The newest few reports that were read are kept."""

    def __init__(self, engine: Engine) -> None:
        from auditor.history.store import History

        self._engine = engine
        self.history: History = History(engine)
        self._reports: OrderedDict[str, Report] = OrderedDict()
        self._lock = threading.Lock()

    def runs(self, limit: int, after: str | None = None) -> tuple[RunRow, ...]:
        """Runs, newest first; after a run that an earlier page ended with. Raises NotThere if that one is gone."""
        import sqlalchemy as sa

        from auditor.history import reports
        from auditor.history.engine import reading
        from auditor.history.tables import run, scope_set

        chosen = sa.select(run, scope_set.c.scopes).join(scope_set, scope_set.c.id == run.c.scope_set_id)
        with reading(self._engine) as connection:
            if after is not None:
                row = connection.execute(sa.select(run.c.started_at, run.c.id).where(run.c.id == after)).first()
                if row is None:
                    raise NotThere
                older = run.c.started_at < row.started_at
                chosen = chosen.where(older | ((run.c.started_at == row.started_at) & (run.c.id < row.id)))
            ordered = chosen.order_by(run.c.started_at.desc(), run.c.id.desc()).limit(limit)
            return tuple(reports.row_of(connection, row) for row in connection.execute(ordered))

    def scope_sets(self) -> tuple[tuple[str, ...], ...]:
        """The sets of scopes that runs were of, the most recently scanned first."""
        import sqlalchemy as sa

        from auditor.history.engine import reading
        from auditor.history.tables import run, scope_set

        newest = sa.func.max(run.c.started_at)
        chosen = (
            sa.select(scope_set.c.scopes)
            .join(run, scope_set.c.id == run.c.scope_set_id)
            .group_by(scope_set.c.id, scope_set.c.scopes)
            .order_by(newest.desc())
        )
        with reading(self._engine) as connection:
            return tuple(tuple(json.loads(scopes)) for scopes in connection.execute(chosen).scalars())

    def newest(self, scopes: Sequence[str] | None = None) -> RunRow | None:
        """The newest run, of these scopes or of all."""
        found = self.runs(1) if scopes is None else self.history.runs(scopes, limit=1)
        return found[0] if found else None

    def run(self, run_id: str) -> RunRow:
        """The run with exactly this id. Raises NotThere."""
        self._exists(run_id)
        return self.history.show(run_id)

    def report(self, run_id: str) -> Report:
        """A run's report. Raises NotThere."""
        with self._lock:
            kept = self._reports.get(run_id)
            if kept is not None:
                self._reports.move_to_end(run_id)
                return kept
        self._exists(run_id)
        report = self.history.report(run_id)
        with self._lock:
            self._reports[run_id] = report
            while len(self._reports) > _KEPT:
                self._reports.popitem(last=False)
        return report

    def findings(self, run_id: str, wanted: Wanted) -> list[Finding]:
        """The run's findings that pass the filters, in the order of the report. Raises NotThere."""
        return sorted((each for each in self.report(run_id).findings if wanted.takes(each)), key=sort_key)

    def finding(self, finding_id: str, run_id: str | None = None) -> tuple[str, Finding]:
        """A finding as a run saw it, or the newest that has it, with that run's id. Raises NotThere."""
        if run_id is not None:
            self._exists(run_id)
        found = self.history.finding(finding_id, run_id)
        if found is None or found[1].id != finding_id:
            raise NotThere
        return found

    def drift(self, old: str, new: str) -> Report:
        """The newer run's report with its drift against the older. Raises NotThere."""
        from auditor.drift import diff

        return diff(self.report(old), self.report(new))

    def change_pin(self, run_id: str, change: Callable[[History], Callable[[str], RunRow]]) -> RunRow:
        """Pin or unpin. Raises NotThere."""
        self._exists(run_id)
        return change(self.history)(run_id)

    def _exists(self, run_id: str) -> None:
        import sqlalchemy as sa

        from auditor.history.engine import reading
        from auditor.history.tables import run

        with reading(self._engine) as connection:
            if connection.execute(sa.select(run.c.id).where(run.c.id == run_id)).first() is None:
                raise NotThere
