"""Which firings of which schedule were dealt with: so that each is scanned once, whoever restarts or dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from auditor.collect import Stopped
from auditor.history import HistoryProblem
from auditor.service.schedule import Firing
from auditor.service.store import stamp

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

FiringState = Literal["running", "done", "failed", "missed", "interrupted", "before"]
"""`before`: it lies before the schedule began, and is written down so that the next one can be missed."""

_OVER = ("done", "before")


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to scan a firing. `attempt` counts who began it: only the newest may say what became of it."""

    schedule: str
    firing: Firing
    attempt: int


class Overtaken(Stopped):
    """Somebody else has begun this firing meanwhile, or has scanned it: what was scanned here is dropped."""


class Firings(Protocol):
    """What the loop remembers of firings."""

    def claim(self, schedule: str, firing: Firing) -> Claim | Literal["done", "busy"]:
        """Begin it; or `done`, if it was scanned, or `busy`, if somebody alive is at it.

        One that failed or was interrupted can be begun, and one that was missed as well: a clock that was wrong may
        have said so.
        """
        ...

    def end(self, claim: Claim, state: FiringState, note: str = "") -> None:
        """Say what became of what was begun; in vain if somebody else has begun it since."""
        ...

    def tell(self, schedule: str, firing: Firing, state: FiringState, note: str = "") -> None:
        """Write down what nobody is at. What is done stays so."""
        ...

    def newest(self, schedule: str, until: str) -> str | None:
        """The wall clock time of the newest firing, up to one, that was begun or missed; None if there was none."""
        ...

    def left(self, schedule: str, before: str) -> tuple[Firing, ...]:
        """Firings older than one that were begun, and that nobody is at any more, though they are not done."""
        ...


@dataclass(slots=True)
class RememberedFirings:
    """Firings of this process only: for a service without a database."""

    _states: dict[tuple[str, str], tuple[FiringState, Firing]] = field(default_factory=dict)

    def claim(self, schedule: str, firing: Firing) -> Claim | Literal["done", "busy"]:
        state, _ = self._states.get((schedule, firing.local), ("missed", firing))
        if state in _OVER:
            return "done"
        self._states[schedule, firing.local] = ("running", firing)
        return Claim(schedule, firing, 1)

    def end(self, claim: Claim, state: FiringState, note: str = "") -> None:
        self._states[claim.schedule, claim.firing.local] = (state, claim.firing)

    def tell(self, schedule: str, firing: Firing, state: FiringState, note: str = "") -> None:
        self._states[schedule, firing.local] = (state, firing)

    def newest(self, schedule: str, until: str) -> str | None:
        return max((local for name, local in self._states if name == schedule and local <= until), default=None)

    def left(self, schedule: str, before: str) -> tuple[Firing, ...]:
        return tuple(
            firing
            for (name, local), (state, firing) in sorted(self._states.items(), key=lambda each: each[0])
            if name == schedule and local < before and state in ("running", "failed", "interrupted")
        )


@dataclass(slots=True)
class StoredFirings:
    """Firings in the history's database, for all instances that share it."""

    engine: Engine
    instance: int
    clock: Callable[[], datetime]
    alive: Callable[[int], bool]
    unsaved: dict[tuple[str, str], tuple[Firing, int | None, FiringState, str]] = field(default_factory=dict)
    """What could not be written while the database was gone; written with the next that can."""

    def claim(self, schedule: str, firing: Firing) -> Claim | Literal["done", "busy"]:
        """As `Firings.claim`. Raises HistoryProblem while the database cannot be asked: then nobody scans twice."""
        import sqlalchemy as sa

        from auditor.history.engine import writing
        from auditor.history.tables import firing as table

        self.write_unsaved()
        mine = (table.c.schedule == schedule) & (table.c.local == firing.local)
        with writing(self.engine) as connection:
            row = connection.execute(sa.select(table).where(mine)).first()
            values = {"state": "running", "instance": self.instance, "told_at": stamp(self.clock()), "note": ""}
            if row is None:
                whole = {"schedule": schedule, "local": firing.local, "scheduled_at": stamp(firing.at), **values}
                connection.execute(sa.insert(table).values(attempt=1, **whole))
                return Claim(schedule, firing, 1)
            if row.state in _OVER:
                return "done"
            if row.state == "running" and self._others(row.instance):
                return "busy"
            # Whoever was faster has counted up what is looked for here.
            unchanged = mine & (table.c.attempt == row.attempt) & (table.c.state == row.state)
            begun = connection.execute(sa.update(table).where(unchanged).values(attempt=row.attempt + 1, **values))
            return Claim(schedule, firing, row.attempt + 1) if begun.rowcount == 1 else "busy"

    def seal(self, claim: Claim, connection: Connection, run_id: str) -> None:
        """In the transaction that keeps a run: the firing is done by it. Raises Overtaken if it is not ours any more.

        So run and firing stand together or not at all, and however many instances scan, one run of them is kept.
        """
        import sqlalchemy as sa

        from auditor.history.tables import firing as table

        mine = self._mine(claim)
        values = {"state": "done", "run_id": run_id, "told_at": stamp(self.clock())}
        sealed = connection.execute(sa.update(table).where(mine, table.c.state == "running").values(**values))
        if sealed.rowcount == 1:
            return
        # The answer to a commit may be lost with its connection: then the run is sealed already.
        if connection.execute(sa.select(table.c.local).where(mine, table.c.run_id == run_id)).first() is None:
            raise Overtaken(f"somebody else took over the scan of {claim.firing.local}; this one is dropped")

    def end(self, claim: Claim, state: FiringState, note: str = "") -> None:
        self._write(claim.schedule, claim.firing, claim.attempt, state, note)

    def tell(self, schedule: str, firing: Firing, state: FiringState, note: str = "") -> None:
        self._write(schedule, firing, None, state, note)

    def newest(self, schedule: str, until: str) -> str | None:
        import sqlalchemy as sa

        from auditor.history.engine import reading
        from auditor.history.tables import firing as table

        with reading(self.engine) as connection:
            up_to = (table.c.schedule == schedule) & (table.c.local <= until)
            found: str | None = connection.execute(sa.select(sa.func.max(table.c.local)).where(up_to)).scalar_one()
        return found

    def left(self, schedule: str, before: str) -> tuple[Firing, ...]:
        import sqlalchemy as sa

        from auditor.history.engine import reading
        from auditor.history.tables import firing as table

        unfinished = table.c.state.in_(("running", "failed", "interrupted"))
        older = (table.c.schedule == schedule) & (table.c.local < before)
        with reading(self.engine) as connection:
            rows = connection.execute(sa.select(table).where(older, unfinished).order_by(table.c.local)).all()
        return tuple(
            Firing(datetime.fromisoformat(row.scheduled_at), row.local)
            for row in rows
            if row.state != "running" or not self._others(row.instance)
        )

    def write_unsaved(self) -> None:
        """Write down what could not be. Raises HistoryProblem if it still cannot."""
        from auditor.history.engine import writing

        if not self.unsaved:
            return
        with writing(self.engine) as connection:
            for (schedule, _), (firing, attempt, state, note) in self.unsaved.items():
                self._put(connection, schedule, firing, attempt, state, note)
        self.unsaved.clear()

    def _write(self, schedule: str, firing: Firing, attempt: int | None, state: FiringState, note: str) -> None:
        self.unsaved[schedule, firing.local] = (firing, attempt, state, note)
        try:
            self.write_unsaved()
        except HistoryProblem:
            return

    def _others(self, instance: int) -> bool:
        """Whether it is another instance, and alive."""
        return instance != self.instance and self.alive(instance)

    def _mine(self, claim: Claim) -> Any:
        from auditor.history.tables import firing as table

        its = (table.c.schedule == claim.schedule) & (table.c.local == claim.firing.local)
        return its & (table.c.instance == self.instance) & (table.c.attempt == claim.attempt)

    def _put(
        self,
        connection: Connection,
        schedule: str,
        firing: Firing,
        attempt: int | None,
        state: FiringState,
        note: str,
    ) -> None:
        import sqlalchemy as sa

        from auditor.history.tables import firing as table

        values: dict[str, Any] = {"state": state, "told_at": stamp(self.clock()), "note": note[:1000]}
        if attempt is not None:
            # A run that was kept has sealed its firing, whatever went wrong afterwards: only its note is added.
            changeable = table.c.run_id.is_(None) if state != "done" else sa.true()
            mine = self._mine(Claim(schedule, firing, attempt))
            connection.execute(sa.update(table).where(mine, changeable).values(**values))
            return
        its = (table.c.schedule == schedule) & (table.c.local == firing.local)
        there = connection.execute(sa.select(table.c.state, table.c.instance).where(its)).first()
        if there is None:
            whole = {"schedule": schedule, "local": firing.local, "scheduled_at": stamp(firing.at), **values}
            connection.execute(sa.insert(table).values(instance=self.instance, attempt=0, **whole))
        elif there.state not in _OVER and not (there.state == "running" and self._others(there.instance)):
            nobodys = its & (table.c.state == there.state) & (table.c.instance == there.instance)
            connection.execute(sa.update(table).where(nobodys).values(**values))


def newest_of_each(engine: Engine) -> dict[str, dict[str, Any]]:
    """By schedule: what became of its newest firing that was begun or missed (`local`, `state`, `note`)."""
    import sqlalchemy as sa

    from auditor.history.engine import reading
    from auditor.history.tables import firing as table

    known = table.c.state != "before"
    newest = sa.select(table.c.schedule, sa.func.max(table.c.local).label("local")).where(known).group_by("schedule")
    last = newest.subquery()
    its = (table.c.schedule == last.c.schedule) & (table.c.local == last.c.local)
    with reading(engine) as connection:
        rows = connection.execute(sa.select(table).join(last, its)).all()
    return {row.schedule: {"local": row.local, "state": row.state, "note": row.note} for row in rows}
