"""What can go wrong with a history, said in one line. A scan turns it into a note and still writes its report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from auditor.errors import UsageProblem


class HistoryProblem(UsageProblem):
    """The history could not be opened, read or written; what it held before is as it was."""


class NewerHistory(HistoryProblem):
    """The history was written by a newer version of this program; nothing in it was touched."""


@contextmanager
def told_plainly(place: str, doing: str) -> Iterator[None]:
    """Turns what the database or the file system raises into a HistoryProblem that names the place.

    `place` must not hold a password: it is printed.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        raise _plain(place, doing, str(getattr(error, "orig", None) or error)) from error
    except OSError as error:
        raise HistoryProblem(f"cannot {doing} the history {place}: {error.strerror or error}") from error


def went_away(problem: HistoryProblem) -> bool:
    """Whether a connection broke, or its server is just starting or stopping: worth another try."""
    from sqlalchemy.exc import OperationalError

    cause = problem.__cause__
    return isinstance(cause, OperationalError) and (
        cause.connection_invalidated
        or getattr(cause.orig, "sqlstate", None) in ("57P01", "57P02", "57P03")
        or (type(cause.orig).__module__.startswith("psycopg") and getattr(cause.orig, "sqlstate", None) is None)
    )


def _plain(place: str, doing: str, said: str) -> HistoryProblem:
    first = said.strip().splitlines()[0] if said.strip() else "no reason given"
    for symptom, message, hint in _KNOWN:
        if symptom in said:
            return HistoryProblem(f"cannot {doing} the history {place}: {message}", hint=hint)
    return HistoryProblem(f"cannot {doing} the history {place}: {first}")


_KNOWN = (
    (
        "database is locked",
        "another scan is writing to it",
        "wait for the other scan, or give each its own AUDITOR_HISTORY",
    ),
    (
        "database or disk is full",
        "no space left on the device",
        "free some space; `auditor history prune` helps next time",
    ),
    ("No space left on device", "no space left on the device", "free some space on the database server"),
    ("readonly database", "it may not be written", "check the owner and mode of the file and of its directory"),
    ("unable to open database file", "the file cannot be opened", "check that its directory exists and may be written"),
    ("file is not a database", "the file is not an SQLite database", "set AUDITOR_HISTORY to another file"),
    (
        "database disk image is malformed",
        "the file is damaged",
        "restore it from a backup, or set it aside and start anew",
    ),
)
