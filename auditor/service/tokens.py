"""API tokens: 256 random bits that are shown once; the database keeps their SHA-256 only.

A fast hash is right here: nobody can guess 256 random bits, so there is nothing for a slow one to slow down.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from auditor.errors import UsageProblem
from auditor.service.roles import Role, role_named
from auditor.service.store import stamp

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

PREFIX = "auditor"
"""What a token begins with, so that scanners for leaked secrets can be told."""
LONGEST_DAYS = 366
_SHAPE = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_NOBODYS = hashlib.sha256(b"nobody's").digest()


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token, the token itself excepted. Times are RFC 3339 in UTC."""

    id: str
    name: str
    roles: frozenset[Role]
    created_at: str
    expires_at: str
    revoked_at: str | None

    def good_at(self, now: datetime) -> bool:
        """Whether it may be used."""
        return self.revoked_at is None and stamp(now) < self.expires_at


def create(engine: Engine, name: str, roles: tuple[str, ...], lifetime: timedelta, now: datetime) -> str:
    """A new token, to be shown once. Raises UsageProblem for a name that is taken or cannot be one."""
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import api_token

    if not _NAME.fullmatch(name):
        raise UsageProblem(
            f"`{name}` is no name for a token", hint="up to 64 letters, digits, and . _ @ -, a letter or digit first"
        )
    if not timedelta(0) < lifetime <= timedelta(days=LONGEST_DAYS):
        raise UsageProblem(f"a token lives between a second and {LONGEST_DAYS} days")
    held = sorted({role_named(each) for each in roles})
    if not held:
        raise UsageProblem("a token without a role opens nothing", hint=f"roles are {', '.join(Role)}")
    token_id = secrets.token_hex(6)
    text = f"{PREFIX}_{token_id}_{secrets.token_urlsafe(32)}"
    with writing(engine) as connection:
        if connection.execute(sa.select(api_token.c.id).where(api_token.c.name == name)).first() is not None:
            raise UsageProblem(f"there is a token called `{name}`", hint="names of revoked tokens stay taken")
        connection.execute(
            sa.insert(api_token).values(
                id=token_id,
                name=name,
                digest=_digest(text),
                roles=" ".join(held),
                created_at=stamp(now),
                expires_at=stamp(now + lifetime),
            )
        )
    return text


def listed(engine: Engine) -> tuple[Token, ...]:
    """Every token there has been, by name."""
    import sqlalchemy as sa

    from auditor.history.engine import reading
    from auditor.history.tables import api_token

    with reading(engine) as connection:
        rows = connection.execute(sa.select(api_token).order_by(api_token.c.name)).all()
    return tuple(_token(row) for row in rows)


def revoke(engine: Engine, named: str, now: datetime) -> Token:
    """Take a token back, by its name or id, at once and for ever. Raises UsageProblem."""
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import api_token, browser_session

    with writing(engine) as connection:
        wanted = (api_token.c.name == named) | (api_token.c.id == named)
        row = connection.execute(sa.select(api_token).where(wanted)).first()
        if row is None:
            raise UsageProblem(f"there is no token `{named}`", hint="`auditor token list` shows them")
        if row.revoked_at is None:
            connection.execute(sa.update(api_token).where(api_token.c.id == row.id).values(revoked_at=stamp(now)))
        connection.execute(sa.delete(browser_session).where(browser_session.c.token_id == row.id))
        return _token(connection.execute(sa.select(api_token).where(api_token.c.id == row.id)).one())


def token_of(engine: Engine, text: str, now: datetime) -> Token | None:
    """The token that this text is, if it may be used.

    The id in it finds the row; the secret is compared by its hash and in constant time, also where there is no such
    row, so that neither the database's look-up nor the comparison tells how near a guess was.
    """
    import sqlalchemy as sa

    from auditor.history.engine import reading
    from auditor.history.tables import api_token

    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    with reading(engine) as connection:
        row = connection.execute(sa.select(api_token).where(api_token.c.id == shape[1])).first()
    expected = _NOBODYS if row is None else bytes(row.digest)
    equal = hmac.compare_digest(_digest(text), expected)
    if row is None or not equal:
        return None
    token = _token(row)
    return token if token.good_at(now) else None


def token_with_id(engine: Engine, token_id: str, now: datetime) -> Token | None:
    """The token with this id, if it may (still) be used."""
    import sqlalchemy as sa

    from auditor.history.engine import reading
    from auditor.history.tables import api_token

    with reading(engine) as connection:
        row = connection.execute(sa.select(api_token).where(api_token.c.id == token_id)).first()
    token = None if row is None else _token(row)
    return token if token is not None and token.good_at(now) else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _token(row: object) -> Token:
    columns = row._mapping  # type: ignore[attr-defined]
    return Token(
        id=columns["id"],
        name=columns["name"],
        roles=frozenset(Role(each) for each in columns["roles"].split() if each in set(Role)),
        created_at=columns["created_at"],
        expires_at=columns["expires_at"],
        revoked_at=columns["revoked_at"],
    )
