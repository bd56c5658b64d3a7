"""Sessions of the dashboard: a cookie's 256 random bits, of which the database keeps the SHA-256.

They end with the token they were begun with, at once when it is revoked.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from auditor.service import tokens
from auditor.service.store import stamp
from auditor.service.tokens import Token

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

LIFETIME = timedelta(hours=8)
MOST_OF_A_TOKEN = 20
"""Sessions of one token at a time; the oldest ends when one more begins."""


def begin(engine: Engine, token: Token, now: datetime) -> str:
    """A new session's cookie value."""
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import browser_session

    cookie = secrets.token_urlsafe(32)
    with writing(engine) as connection:
        connection.execute(sa.delete(browser_session).where(browser_session.c.expires_at <= stamp(now)))
        of_token = browser_session.c.token_id == token.id
        oldest_first = sa.select(browser_session.c.digest).where(of_token).order_by(browser_session.c.expires_at)
        held = connection.execute(oldest_first).scalars().all()
        for digest in held[: max(len(held) - MOST_OF_A_TOKEN + 1, 0)]:
            connection.execute(sa.delete(browser_session).where(browser_session.c.digest == digest))
        expires = min(stamp(now + LIFETIME), token.expires_at)
        connection.execute(
            sa.insert(browser_session).values(digest=_digest(cookie), token_id=token.id, expires_at=expires)
        )
    return cookie


def token_of(engine: Engine, cookie: str, now: datetime) -> Token | None:
    """The token whose session this cookie is, if both are good."""
    import sqlalchemy as sa

    from auditor.history.engine import reading
    from auditor.history.tables import browser_session

    with reading(engine) as connection:
        # Looked up by its hash: what a look-up's time could tell is about the hash, not about the cookie.
        found = connection.execute(
            sa.select(browser_session.c.token_id).where(
                browser_session.c.digest == _digest(cookie), browser_session.c.expires_at > stamp(now)
            )
        ).scalar()
    return None if found is None else tokens.token_with_id(engine, found, now)


def end(engine: Engine, cookie: str) -> None:
    """End a session; one that is not there is ended already."""
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import browser_session

    with writing(engine) as connection:
        connection.execute(sa.delete(browser_session).where(browser_session.c.digest == _digest(cookie)))


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()
