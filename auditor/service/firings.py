"""Which firings of which schedule were dealt with: so that each is scanned once, whoever restarts or dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from auditor.history import HistoryProblem
from auditor.service.schedule import Firing
from auditor.service.store import stamp

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

FiringState = Literal["running", "done", "missed", "interrupted", "before"]
"""`before`: it lies before the schedule began, and is written down so that the next one can be missed."""


class Firings(Protocol):
    """What the loop remembers of firings."""

    def claim(self, schedule: str, firing: Firing) -> bool:
        """Begin it; False if it was scanned, or somebody alive is at it.

        One that was interrupted can be begun, and one that was missed as well: a clock that was wrong may have said so.
        """
        ...

    def end(self, schedule: str, firing: Firing, state: FiringState, note: str = "") -> None:
        """Say what became of it."""
        ...

    def newest(self, schedule: str, until: str) -> str | None:
        """The wall clock time of the newest firing, up to one, that was begun or missed; None if there was none."""
        ...


@dataclass(slots=True)
class RememberedFirings:
    """Firings of this process only: for a service without a database."""

    _states: dict[tuple[str, str], FiringState] = field(default_factory=dict)

    def claim(self, schedule: str, firing: Firing) -> bool:
        if self._states.get((schedule, firing.local)) in ("running", "done", "before"):
            return False
        self._states[schedule, firing.local] = "running"
        return True

    def end(self, schedule: str, firing: Firing, state: FiringState, note: str = "") -> None:
        self._states[schedule, firing.local] = state

    def newest(self, schedule: str, until: str) -> str | None:
        return max((local for name, local in self._states if name == schedule and local <= until), default=None)


@dataclass(slots=True)
class StoredFirings:
    """Firings in the history's database, for all instances that share it."""

    engine: Engine
    instance: int
    clock: Callable[[], datetime]
    alive: Callable[[int], bool]
    unsaved: dict[tuple[str, str], tuple[FiringState, str]] = field(default_factory=dict)
    """What could not be written while the database was gone; written with the next that can."""

    def claim(self, schedule: str, firing: Firing) -> bool:
        """As `Firings.claim`. Raises HistoryProblem while the database cannot be asked: then nobody scans twice."""
        import sqlalchemy as sa

        from auditor.history.engine import writing
        from auditor.history.tables import firing as table

        self._write_unsaved()
        mine = (table.c.schedule == schedule) & (table.c.local == firing.local)
        with writing(self.engine) as connection:
            row = connection.execute(sa.select(table).where(mine)).first()
            values = {"state": "running", "instance": self.instance, "told_at": stamp(self.clock()), "note": ""}
            if row is None:
                whole = {"schedule": schedule, "local": firing.local, "scheduled_at": stamp(firing.at), **values}
                connection.execute(sa.insert(table).values(**whole))
                return True
            left = row.state == "running" and (row.instance == self.instance or not self.alive(row.instance))
            if row.state not in ("interrupted", "missed") and not left:
                return False
            # Whoever was faster has changed what is looked for here.
            unchanged = mine & (table.c.state == row.state) & (table.c.instance == row.instance)
            return connection.execute(sa.update(table).where(unchanged).values(**values)).rowcount == 1

    def end(self, schedule: str, firing: Firing, state: FiringState, note: str = "") -> None:
        self.unsaved[schedule, firing.local] = (state, note)
        try:
            self._write_unsaved(firing)
        except HistoryProblem:
            return

    def newest(self, schedule: str, until: str) -> str | None:
        import sqlalchemy as sa

        from auditor.history.engine import reading
        from auditor.history.tables import firing as table

        with reading(self.engine) as connection:
            up_to = (table.c.schedule == schedule) & (table.c.local <= until)
            found: str | None = connection.execute(sa.select(sa.func.max(table.c.local)).where(up_to)).scalar_one()
        return found

    def _write_unsaved(self, firing: Firing | None = None) -> None:
        import sqlalchemy as sa

        from auditor.history.engine import writing
        from auditor.history.tables import firing as table

        if not self.unsaved:
            return
        with writing(self.engine) as connection:
            for (schedule, local), (state, note) in self.unsaved.items():
                mine = (table.c.schedule == schedule) & (table.c.local == local)
                values = {"state": state, "told_at": stamp(self.clock()), "note": note[:1000]}
                changed = connection.execute(
                    sa.update(table).where(mine, table.c.instance == self.instance).values(**values)
                )
                there = sa.select(table.c.local).where(mine)
                if changed.rowcount == 0 and connection.execute(there).first() is None:
                    at = firing.at if firing is not None and firing.local == local else self.clock()
                    whole = {"schedule": schedule, "local": local, "scheduled_at": stamp(at), **values}
                    connection.execute(sa.insert(table).values(instance=self.instance, **whole))
        self.unsaved.clear()
