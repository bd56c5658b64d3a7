"""The durable outbox: a message is kept, in the history's database, until its receiver has taken it.

At least once: a message is claimed for a while before it is sent, so that two instances seldom send it both; one that
dies in between leaves it to be sent again, with the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from auditor.notify.message import Message, decoded, encoded
from auditor.notify.sending import Refused, send
from auditor.notify.targets import Target

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)
GIVEN_UP = timedelta(days=7)
"""After so long a message is given up, and stays in the table to be seen."""
CLAIM = timedelta(minutes=5)

Send = Callable[[Target, Message, datetime], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt. `note` is empty if it was delivered."""

    target: str
    message_id: str
    note: str


def put(engine: Engine, message: Message, targets: Iterable[Target], now: datetime) -> int:
    """Keep a message for each receiver; what is kept already stays as it is. How many are new. Calls nobody."""
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import outgoing

    added = 0
    with writing(engine) as connection:
        for target in targets:
            same = sa.and_(outgoing.c.target == target.name, outgoing.c.message_id == message.id)
            if connection.execute(sa.select(outgoing.c.target).where(same)).first() is None:
                connection.execute(
                    sa.insert(outgoing).values(
                        target=target.name,
                        message_id=message.id,
                        content=encoded(message),
                        put_at=_stamp(now),
                        attempts=0,
                        next_at=_stamp(now),
                        note="",
                    )
                )
                added += 1
    return added


def deliver(
    engine: Engine, targets: Sequence[Target], clock: Callable[[], datetime], send: Send = send
) -> tuple[Attempt, ...]:
    """Try once whatever is due, oldest first; of a receiver that refuses, the rest waits for its turn."""
    attempts: list[Attempt] = []
    for target in targets:
        while (claimed := _claim(engine, target, clock())) is not None:
            message_id, content, put_at, count = claimed
            note = ""
            try:
                send(target, decoded(content), clock())
            except Refused as refused:
                note = str(refused)
            _settle(engine, target, message_id, put_at, count, note, clock())
            attempts.append(Attempt(target.name, message_id, note))
            if note:
                break
    return tuple(attempts)


def _claim(engine: Engine, target: Target, now: datetime) -> tuple[str, str, str, int] | None:
    """The oldest message that is due, put off for others as long as it may take to send it."""
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import outgoing

    table = outgoing.c
    due = sa.and_(table.target == target.name, table.next_at <= _stamp(now))
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
            .where(table.target == target.name, table.message_id == found.message_id)
            .values(attempts=found.attempts + 1, next_at=_stamp(now + CLAIM))
        )
        return found.message_id, found.content, found.put_at, found.attempts + 1


def _settle(engine: Engine, target: Target, message_id: str, put_at: str, count: int, note: str, now: datetime) -> None:
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import outgoing

    next_at: str | None = None
    if note and now - datetime.fromisoformat(put_at) < GIVEN_UP:
        next_at = _stamp(now + min(FIRST_PAUSE * 2 ** min(count - 1, 20), LONGEST_PAUSE))
    with writing(engine) as connection:
        connection.execute(
            sa.update(outgoing)
            .where(outgoing.c.target == target.name, outgoing.c.message_id == message_id)
            .values(next_at=next_at, ended_at=None if next_at else _stamp(now), note=note)
        )


def _stamp(at: datetime) -> str:
    """RFC 3339 in UTC with seconds, so that texts sort as times."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
