"""The durable outbox: a parcel is kept, in the history's database, until its receiver has taken it.

At least once: a parcel is claimed for a while before it is sent, so that two instances seldom send it both; one that
dies in between leaves it to be sent again, with the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from auditor.notify.parcel import Parcel
from auditor.notify.refusal import Refused
from auditor.notify.targets import LogTable, Target

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)
GIVEN_UP = timedelta(days=7)
"""After so long a parcel is given up, and stays in the table to be seen."""
CLAIM = timedelta(minutes=5)
DELIVERED_KEPT, GIVEN_UP_KEPT = timedelta(days=30), timedelta(days=90)
"""So long the table remembers what came of a parcel."""

Send = Callable[[Target, Parcel, datetime], None]
Result = Literal["delivered", "refused", "given-up"]
RESULTS: tuple[Result, ...] = ("delivered", "refused", "given-up")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt. `note` says why it was not delivered."""

    target: str
    parcel_id: str
    result: Result
    note: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parcel that is not delivered: to be tried again at `next_at`, or given up at `ended_at`."""

    target: str
    parcel_id: str
    put_at: str
    attempts: int
    next_at: str | None
    ended_at: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How one receiver stands. `oldest` is when the oldest of those queued was put in."""

    target: str
    queued: int
    oldest: str | None
    delivered: int
    given_up: int


def put(engine: Engine, parcels: Iterable[tuple[str, Parcel]], now: datetime) -> int:
    """Keep parcels, each for the receiver of that name, all or none; what is kept already stays as it is.

    How many are new. Calls nobody.
    """
    from auditor.history.engine import writing

    with writing(engine) as connection:
        return put_with(connection, parcels, now)


def put_with(connection: Connection, parcels: Iterable[tuple[str, Parcel]], now: datetime) -> int:
    """`put`, in a transaction of somebody else's."""
    import sqlalchemy as sa

    from auditor.history.tables import outgoing

    added = 0
    table = outgoing.c
    ended = sa.and_(table.next_at.is_(None), table.ended_at < _stamp(now - GIVEN_UP_KEPT))
    done = sa.and_(_delivered(), table.ended_at < _stamp(now - DELIVERED_KEPT))
    connection.execute(sa.delete(outgoing).where(sa.or_(ended, done)))
    for target, parcel in parcels:
        # Also one that was cut into pieces since then counts as kept.
        same = sa.and_(table.target == target, table.message_id == parcel.id)
        if connection.execute(sa.select(table.target).where(same)).first() is None:
            _insert(connection, target, parcel, put_at=_stamp(now), next_at=_stamp(now))
            added += 1
    return added


def deliver(
    engine: Engine,
    target: Target,
    clock: Callable[[], datetime],
    send: Send,
    stop: Callable[[], bool] = lambda: False,
) -> Iterable[Attempt]:
    """Try once whatever is due for a receiver, oldest first; once it refuses, the rest waits for its turn."""
    while not stop() and (claimed := _claim(engine, target.name, clock())) is not None:
        parcel, put_at, count = claimed
        try:
            send(target, parcel, clock())
        except Refused as refused:
            if refused.too_large and _cut_up(engine, target, parcel, put_at, clock()):
                continue
            yield _put_off(engine, target.name, parcel, put_at, count, refused, clock())
            return
        _settle(engine, target.name, parcel, next_at=None, ended_at=_stamp(clock()), note="", content="")
        yield Attempt(target.name, parcel.id, "delivered", "")


def standings(engine: Engine) -> tuple[Standing, ...]:
    """How every receiver stands that the outbox ever had something for, by name."""
    import sqlalchemy as sa

    from auditor.history.engine import reading
    from auditor.history.tables import outgoing

    table = outgoing.c
    queued = table.next_at.is_not(None)
    given_up = sa.and_(table.next_at.is_(None), table.note != "")
    asked = (
        sa.select(
            table.target,
            sa.func.sum(sa.case((queued, 1), else_=0)),
            sa.func.min(sa.case((queued, table.put_at))),
            sa.func.sum(sa.case((_delivered(), 1), else_=0)),
            sa.func.sum(sa.case((given_up, 1), else_=0)),
        )
        .group_by(table.target)
        .order_by(table.target)
    )
    with reading(engine) as connection:
        return tuple(
            Standing(row[0], int(row[1]), row[2], int(row[3]), int(row[4])) for row in connection.execute(asked)
        )


def undelivered(engine: Engine) -> tuple[Waiting, ...]:
    """What is queued or given up, by receiver, oldest first."""
    import sqlalchemy as sa

    from auditor.history.engine import reading
    from auditor.history.tables import outgoing

    table = outgoing.c
    asked = (
        sa.select(
            table.target, table.message_id, table.put_at, table.attempts, table.next_at, table.ended_at, table.note
        )
        .where(~_delivered())
        .order_by(table.target, table.put_at, table.message_id)
    )
    with reading(engine) as connection:
        return tuple(Waiting(*row) for row in connection.execute(asked))


def again(engine: Engine, target: str | None, now: datetime) -> int:
    """Make due now whatever is not delivered, given up or not, with a week of its own; how much that is."""
    return _change(engine, target, put_at=_stamp(now), attempts=0, next_at=_stamp(now), ended_at=None)


def drop(engine: Engine, target: str | None) -> int:
    """Forget whatever is not delivered; how much that was."""
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import outgoing

    with writing(engine) as connection:
        return connection.execute(sa.delete(outgoing).where(_undelivered_of(target))).rowcount


def _change(engine: Engine, target: str | None, **values: Any) -> int:
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import outgoing

    with writing(engine) as connection:
        return connection.execute(sa.update(outgoing).where(_undelivered_of(target)).values(**values)).rowcount


def _undelivered_of(target: str | None) -> Any:
    import sqlalchemy as sa

    from auditor.history.tables import outgoing

    return sa.and_(~_delivered(), sa.true() if target is None else outgoing.c.target == target)


def _delivered() -> Any:
    import sqlalchemy as sa

    from auditor.history.tables import outgoing

    return sa.and_(outgoing.c.next_at.is_(None), outgoing.c.note == "")


def _claim(engine: Engine, target: str, now: datetime) -> tuple[Parcel, str, int] | None:
    """The oldest parcel that is due, put off for others as long as it may take to send it."""
    import sqlalchemy as sa

    from auditor.history.engine import reading, writing
    from auditor.history.tables import outgoing

    table = outgoing.c
    due = sa.and_(table.target == target, table.next_at <= _stamp(now))
    with reading(engine) as connection:
        # Mostly there is nothing: no lock is taken to find that out.
        if connection.execute(sa.select(table.message_id).where(due).limit(1)).first() is None:
            return None
    with writing(engine) as connection:
        found = connection.execute(
            sa.select(table.message_id, table.content, table.put_at, table.attempts)
            .where(due)
            .order_by(table.put_at, table.message_id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if found is None:
            return None
        connection.execute(
            sa.update(outgoing)
            .where(table.target == target, table.message_id == found.message_id)
            .values(attempts=found.attempts + 1, next_at=_stamp(now + CLAIM))
        )
        return Parcel(found.message_id, found.content), found.put_at, found.attempts + 1


def _put_off(
    engine: Engine, target: str, parcel: Parcel, put_at: str, count: int, refused: Refused, now: datetime
) -> Attempt:
    """Try again later, or never: after a week, or if it is too large for the receiver and cannot be cut."""
    note = str(refused) or "refused"
    if refused.too_large or now - datetime.fromisoformat(put_at) >= GIVEN_UP:
        _settle(engine, target, parcel, next_at=None, ended_at=_stamp(now), note=note)
        return Attempt(target, parcel.id, "given-up", note)
    pause = min(FIRST_PAUSE * 2 ** min(count - 1, 20), LONGEST_PAUSE)
    # What the receiver asks for is heeded, within what may be waited for.
    next_at = min(max(now + pause, refused.not_before(now)), now + LONGEST_PAUSE)
    _settle(engine, target, parcel, next_at=_stamp(next_at), ended_at=None, note=note)
    return Attempt(target, parcel.id, "refused", note)


def _cut_up(engine: Engine, target: Target, parcel: Parcel, put_at: str, now: datetime) -> bool:
    """Put two smaller parcels in the place of one that was too large; False if it cannot be cut."""
    from auditor.history.engine import writing
    from auditor.notify.rows import halves

    pieces = halves(parcel.content) if isinstance(target, LogTable) else None
    if pieces is None:
        return False
    with writing(engine) as connection:
        for letter, content in zip("ab", pieces, strict=True):
            piece = Parcel(f"{parcel.id}{letter}", content)
            _insert(connection, target.name, piece, put_at=put_at, next_at=_stamp(now))
        _change_one(connection, target.name, parcel, next_at=None, ended_at=_stamp(now), note="", content="")
    return True


def _insert(connection: Connection, target: str, parcel: Parcel, *, put_at: str, next_at: str) -> None:
    import sqlalchemy as sa

    from auditor.history.tables import outgoing

    values = {"target": target, "message_id": parcel.id, "content": parcel.content, "put_at": put_at}
    connection.execute(sa.insert(outgoing).values(**values, attempts=0, next_at=next_at, note=""))


def _settle(engine: Engine, target: str, parcel: Parcel, **values: Any) -> None:
    from auditor.history.engine import writing

    with writing(engine) as connection:
        _change_one(connection, target, parcel, **values)


def _change_one(connection: Connection, target: str, parcel: Parcel, **values: Any) -> None:
    import sqlalchemy as sa

    from auditor.history.tables import outgoing

    same = sa.and_(outgoing.c.target == target, outgoing.c.message_id == parcel.id)
    connection.execute(sa.update(outgoing).where(same).values(**values))


def _stamp(at: datetime) -> str:
    """RFC 3339 in UTC with seconds, so that texts sort as times."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
