"""Retention: which runs may go, and what goes with them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from auditor.history.records import RunRow
from auditor.history.reports import row_of
from auditor.history.tables import AnyRow, body, presence, remark, run, scope_set, stay, topology

_CHUNK = 500


def superfluous(connection: Connection, keep: int | None, before: str | None) -> tuple[RunRow, ...]:
    """The runs that pruning would take, oldest first."""
    return tuple(row_of(connection, row) for row in _superfluous(connection, keep, before))


def prune(connection: Connection, keep: int | None, before: str | None) -> tuple[RunRow, ...]:
    """Take those runs, and everything that only they showed."""
    if connection.dialect.name == "postgresql":
        # A save that relies on a body must not see it taken away: it waits, as everything that writes does.
        connection.execute(sa.text("LOCK TABLE body, stay IN EXCLUSIVE MODE"))
    rows = _superfluous(connection, keep, before)
    taken = tuple(row_of(connection, row) for row in rows)
    ids = [row.id for row in rows]
    for at in range(0, len(ids), _CHUNK):
        chunk = ids[at : at + _CHUNK]
        connection.execute(sa.delete(remark).where(remark.c.run_id.in_(chunk)))
        connection.execute(sa.delete(run).where(run.c.id.in_(chunk)))
    if ids:
        _take_what_no_run_shows(connection)
    return taken


def _superfluous(connection: Connection, keep: int | None, before: str | None) -> list[AnyRow]:
    age = sa.func.row_number().over(partition_by=run.c.scope_set_id, order_by=run.c.seq.desc()).label("age")
    newest_complete = (
        sa.select(sa.func.max(run.c.seq).label("seq"), run.c.scope_set_id)
        .where(run.c.complete)
        .group_by(run.c.scope_set_id)
        .subquery()
    )
    aged = sa.select(run.c.id, age).subquery()
    chosen = (
        sa.select(run, scope_set.c.scopes)
        .join(scope_set, scope_set.c.id == run.c.scope_set_id)
        .join(aged, aged.c.id == run.c.id)
        .outerjoin(newest_complete, newest_complete.c.scope_set_id == run.c.scope_set_id)
        .where(~run.c.pinned, newest_complete.c.seq.is_(None) | (run.c.seq != newest_complete.c.seq))
        .order_by(run.c.scope_set_id, run.c.seq)
    )
    if keep is not None:
        chosen = chosen.where(aged.c.age > keep)
    if before is not None:
        chosen = chosen.where(run.c.started_at < before)
    return list(connection.execute(chosen))


def _take_what_no_run_shows(connection: Connection) -> None:
    for table in (stay, presence, topology):
        shown = (
            sa.select(run.c.id)
            .where(
                run.c.scope_set_id == table.c.scope_set_id,
                run.c.seq >= table.c.first_seq,
                table.c.last_seq.is_(None) | (run.c.seq <= table.c.last_seq),
            )
            .exists()
        )
        connection.execute(sa.delete(table).where(~shown))
    used = sa.select(stay.c.id).where(stay.c.body == body.c.digest).exists()
    connection.execute(sa.delete(body).where(~used))
