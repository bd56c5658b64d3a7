"""The service's part of the history's database: opened once, shared by its threads."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditor.history import history_url

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine


def open_store(url: str | None, environment: Mapping[str, str], *, patience_s: float = 30.0) -> Engine:
    """The database of the history, its schema up to date. Raises HistoryProblem."""
    from auditor.history.engine import connect
    from auditor.history.upgrade import bring_up_to_date

    engine = connect(url or history_url(environment), create=True, patience_s=patience_s)
    try:
        bring_up_to_date(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def stamp(at: datetime) -> str:
    """A time as the tables hold it: RFC 3339 in UTC with seconds, so that texts sort as times."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_instance() -> int:
    """A number for this process, fit for PostgreSQL's two-part advisory locks (31 bits)."""
    return secrets.randbelow(2**31 - 1) + 1
