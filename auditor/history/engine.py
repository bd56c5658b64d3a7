"""Connections: SQLite so that a kill at any moment loses nothing, PostgreSQL by psycopg."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.pool import StaticPool

from auditor.history.problems import HistoryProblem, told_plainly

OLDEST_POSTGRESQL = 15
_WRITES = "auditor_writes"


def connect(url: str, *, create: bool, patience_s: float) -> Engine:
    """An engine for the history at this URL, reached once. Raises HistoryProblem."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, create=create, patience_s=patience_s)
    return _postgresql(parsed, patience_s)


def place(engine: Engine) -> str:
    """What to call this history in messages: its file, or its URL without the password."""
    if engine.dialect.name == "sqlite":
        return engine.url.database or "in memory"
    return engine.url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent look at the history."""
    with told_plainly(place(engine), "read"), engine.connect() as bare:
        connection = bare
        if engine.dialect.name == "postgresql":
            connection = bare.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: everything in it is kept, or nothing."""
    with told_plainly(place(engine), "write to"), engine.connect() as bare:
        connection = bare.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError:
        # The text may hold a password, so it is not shown.
        raise HistoryProblem(
            "the history's URL is not one", hint="for example sqlite:///history.sqlite or postgresql://user@host/name"
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise HistoryProblem(
            f"no history in {parsed.get_backend_name()}", hint="a history lies in sqlite or postgresql"
        )
    return parsed


def _sqlite(url: URL, *, create: bool, patience_s: float) -> Engine:
    file = None if url.database in (None, "", ":memory:") else Path(str(url.database)).expanduser()
    if file is not None:
        url = url.set(database=str(file))
        with told_plainly(str(file), "open"):
            _make_private(file, create=create)
    # A database in memory is its connection: there is one for all threads.
    pool: dict[str, Any] = {} if file is not None else {"poolclass": StaticPool}
    engine = sa.create_engine(
        url.set(drivername="sqlite"),
        connect_args={"timeout": patience_s, "check_same_thread": False, "isolation_level": None},
        **pool,
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a commit survives a power cut, not only a kill
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock first: a read that turns into a write could not wait for another writer.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    with told_plainly(place(engine), "open"), engine.connect():
        return engine


def _make_private(file: Path, *, create: bool) -> None:
    """An empty file only its owner may read, made before SQLite would make it with the umask's mode."""
    if file.exists():
        return
    if not create:
        raise HistoryProblem(f"there is no history at {file}", hint="a scan makes one")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))


def _postgresql(url: URL, patience_s: float) -> Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise HistoryProblem(
            "a history in PostgreSQL needs the psycopg package", hint="pip install 'auditor[postgresql]'"
        )
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": max(2, int(patience_s)),
            "options": f"-c lock_timeout={int(patience_s * 1000)} -c timezone=UTC",
        },
    )
    with told_plainly(place(engine), "open"), engine.connect() as connection:
        version = int((connection.dialect.server_version_info or (0,))[0])
    if version < OLDEST_POSTGRESQL:
        engine.dispose()
        raise HistoryProblem(f"{place(engine)} is PostgreSQL {version}; {OLDEST_POSTGRESQL} or later is needed")
    return engine
