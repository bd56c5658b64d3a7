"""History: past runs in one database, SQLite by default, PostgreSQL by URL.

`open_history` is all that a scan needs; what it gives saves runs, chooses baselines and answers who was seen when.
SQLAlchemy and Alembic are imported only when a history is opened, Alembic only if its schema is behind.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditor.history.place import history_url
from auditor.history.problems import HistoryProblem, NewerHistory
from auditor.history.records import RunRow, Stay, TrendPoint

if TYPE_CHECKING:
    from auditor.history.store import History

__all__ = ["HistoryProblem", "NewerHistory", "RunRow", "Stay", "TrendPoint", "history_url", "open_history"]


def open_history(
    url: str | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    create: bool = True,
    patience_s: float = 30.0,
    persistent: bool = False,
) -> History:
    """The history at an SQLAlchemy URL; without one, where AUDITOR_HISTORY says, else in the user's data directory.

    Its schema is brought up to date first. `create=False` refuses a place where none is yet; `patience_s` is how long
    to wait for another scan that writes; with `persistent`, a server that is away is tried again for a while. Raises
    HistoryProblem, which a scan survives with a note.
    """
    from auditor.history.problems import went_away
    from auditor.history.store import PAUSES_S

    for pause_s in PAUSES_S if persistent else ():
        try:
            return _opened(url, environ, create=create, patience_s=patience_s)
        except HistoryProblem as problem:
            if not went_away(problem):
                raise
            time.sleep(pause_s)
    return _opened(url, environ, create=create, patience_s=patience_s)


def _opened(url: str | None, environ: Mapping[str, str] | None, *, create: bool, patience_s: float) -> History:
    from auditor.history.engine import connect
    from auditor.history.store import History
    from auditor.history.upgrade import bring_up_to_date

    engine = connect(url or history_url(environ or {}), create=create, patience_s=patience_s)
    try:
        bring_up_to_date(engine)
    except BaseException:
        engine.dispose()
        raise
    return History(engine)
