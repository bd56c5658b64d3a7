"""The schema's version: brought up to date by Alembic, which is imported only if there is something to do."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from auditor.history.engine import place, reading, writing
from auditor.history.problems import HistoryProblem, NewerHistory

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Every schema there has been, oldest first. A migration script of each lies in `migrations/versions`."""

_UPGRADE_LOCK = 0x61756469746F72  # any number, the same for all who upgrade one PostgreSQL database


def bring_up_to_date(engine: Engine, to: str = REVISIONS[-1]) -> None:
    """Upgrade a schema that is behind, in one transaction; refuse one from a newer version of this program."""
    with reading(engine) as connection:
        behind = _behind(connection, place(engine), to)
    if not behind:
        return
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        if _behind(connection, place(engine), to):  # another process may have been faster
            _upgrade(connection, to)


def _behind(connection: Connection, where: str, to: str) -> bool:
    found = _revision(connection)
    if found is None:
        return True
    if found not in REVISIONS:
        raise NewerHistory(
            f"the history {where} has schema {found}, newer than this version of auditor knows ({REVISIONS[-1]})",
            hint="use the newer auditor, or set AUDITOR_HISTORY to another place",
        )
    return REVISIONS.index(found) < REVISIONS.index(to)


def _revision(connection: Connection) -> str | None:
    tables = sa.inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        if tables and connection.dialect.name == "sqlite":
            raise HistoryProblem(f"{place(connection.engine)} is a database of another program: it holds {tables[0]!r}")
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Options of a Config are interpolated: a percent sign in the path is doubled.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
