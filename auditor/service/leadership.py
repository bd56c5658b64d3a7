"""Which instance runs the schedules: one at a time, told by a lock of the database itself.

PostgreSQL: an advisory lock on a connection of its own, held for life; when the instance dies, the server gives it to
the next. SQLite: a lock on a file beside the database; a second instance refuses to start. A proxy that shares
connections between clients (transaction pooling) breaks such locks: connect past it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from auditor.errors import UsageProblem

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_LEADER = 0x61756469_6C656164  # "audi" "lead": any number, the same for all instances of one database
_INSTANCES = 0x61756469
_LOOK_EVERY_S = 5.0


class Leadership(Protocol):
    """Whether this instance leads, and which others live."""

    def leads(self) -> bool:
        """Try to lead, or go on leading. Never waits for another leader."""
        ...

    def alive(self, instance: int) -> bool:
        """Whether an instance's process still lives, as far as can be told."""
        ...

    def close(self) -> None:
        """Give up everything."""
        ...


def leadership_over(engine: Engine, instance: int) -> Leadership:
    """How instances that share this database agree. Raises UsageProblem if another one has an SQLite database."""
    if engine.dialect.name == "postgresql":
        return DatabaseLock(engine, instance)
    database = engine.url.database
    return Alone(instance) if not database or database == ":memory:" else FileLock(Path(database), instance)


class Alone:
    """A database in memory has no other instances."""

    def __init__(self, instance: int) -> None:
        self._instance = instance

    def leads(self) -> bool:
        return True

    def alive(self, instance: int) -> bool:
        return instance == self._instance

    def close(self) -> None:
        return None


class FileLock(Alone):
    """SQLite: one instance, by a lock that the system takes back however the process ends."""

    def __init__(self, database: Path, instance: int) -> None:
        super().__init__(instance)
        try:
            import fcntl
        except ImportError:
            raise UsageProblem(
                "a service over SQLite needs POSIX file locks, which this system lacks",
                hint="set AUDITOR_HISTORY to a PostgreSQL database",
            ) from None
        path = database.with_name(database.name + ".service-lock")
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 20).decode("ascii", "replace").strip()
            os.close(self._file)
            raise UsageProblem(
                f"another `auditor serve`{f' (process {holder})' if holder.isdigit() else ''} uses {database}",
                hint="stop it, or keep the history of several instances in PostgreSQL",
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def close(self) -> None:
        os.close(self._file)


class DatabaseLock:
    """PostgreSQL: session-level advisory locks on one connection of its own."""

    def __init__(self, engine: Engine, instance: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._instance = instance
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._leads = False
        self._looked_at = 0.0

    def leads(self) -> bool:
        """As `Leadership.leads`; the connection is looked at every few seconds at most."""
        import sqlalchemy as sa

        with self._lock:
            now = self._monotonic()
            if self._leads and now - self._looked_at < _LOOK_EVERY_S:
                return True
            try:
                connection = self._connected()
                if self._leads:
                    connection.execute(sa.text("SELECT 1"))
                else:
                    self._leads = bool(self._one(connection, "SELECT pg_try_advisory_lock(:key)", key=_LEADER))
                self._looked_at = now
            except sa.exc.SQLAlchemyError:
                self._drop()
            return self._leads

    def alive(self, instance: int) -> bool:
        """A live instance holds the lock with its number. Without a connection nobody is called dead."""
        import sqlalchemy as sa

        if instance == self._instance:
            return True
        with self._lock:
            try:
                connection = self._connected()
                key = {"class": _INSTANCES, "instance": instance}
                if not self._one(connection, "SELECT pg_try_advisory_lock(:class, :instance)", **key):
                    return True
                self._one(connection, "SELECT pg_advisory_unlock(:class, :instance)", **key)
                return False
            except sa.exc.SQLAlchemyError:
                self._drop()
                return True

    def close(self) -> None:
        import contextlib

        import sqlalchemy as sa

        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(sa.exc.SQLAlchemyError):
                    # The server notices a closed connection a little later: whoever takes over need not wait for that.
                    self._one(self._connection, "SELECT pg_advisory_unlock_all()")
            self._drop()

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection = connection
            key = {"class": _INSTANCES, "instance": self._instance}
            self._one(connection, "SELECT pg_try_advisory_lock(:class, :instance)", **key)
        return self._connection

    def _one(self, connection: Connection, statement: str, **values: int) -> Any:
        import sqlalchemy as sa

        return connection.execute(sa.text(statement), values).scalar()

    def _drop(self) -> None:
        import contextlib

        import sqlalchemy as sa

        connection, self._connection, self._leads = self._connection, None, False
        if connection is not None:
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                # Not back into the pool: the next user would hold our locks.
                connection.invalidate()
                connection.close()
