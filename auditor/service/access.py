"""The door: from a request's headers to whoever it comes from. What it does not know stays outside."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from auditor.service import sessions, tokens
from auditor.service.identity import EntraTokens, Refused
from auditor.service.roles import Caller, Role
from auditor.service.tokens import PREFIX, Token

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

COOKIE = "auditor-session"
"""On loopback; elsewhere the name has the prefix `__Host-`, with which browsers insist on https and this very host."""


def cookie_name(*, secure: bool) -> str:
    """What the session's cookie is called."""
    return f"__Host-{COOKIE}" if secure else COOKIE


@dataclass(frozen=True, slots=True)
class Door:
    """Who is let in, and by what.

    `entra` is None where no bearer tokens of Entra ID are taken. `proxy_header` names the header in which a proxy
    passes such a token on: it is checked like any other, so a forged header opens nothing. `open` lets everybody in.
    """

    engine: Engine
    clock: Callable[[], datetime]
    entra: EntraTokens | None = None
    proxy_header: str | None = None
    open: bool = False
    _anybodys_secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def caller(self, headers: Mapping[str, str], *, secure: bool) -> Caller | None:
        """Who it is; None if no credential was presented. Raises Refused for one that is no good, and AuthorityDown.

        `headers` have lower-case names. A bad `Authorization` is not made good by a cookie.
        """
        if self.open:
            return Caller("anybody", frozenset(Role), secret=self._anybodys_secret)
        authorization = headers.get("authorization")
        if authorization is not None:
            return self._bearer(authorization)
        if self.proxy_header is not None and (passed := headers.get(self.proxy_header)):
            return self._entra(passed.removeprefix("Bearer ").strip(), ambient=True)
        cookie = cookie_of(headers.get("cookie", ""), cookie_name(secure=secure))
        if cookie is None:
            return None
        token = sessions.token_of(self.engine, cookie, self.clock())
        if token is None:
            raise Refused("the session is over")
        return Caller(f"token:{token.name}", token.roles, ambient=True, secret=cookie, token_id=token.id)

    def token(self, text: str) -> Token | None:
        """The API token that somebody signs in to the dashboard with."""
        return tokens.token_of(self.engine, text.strip(), self.clock())

    def _bearer(self, authorization: str) -> Caller:
        scheme, _, text = authorization.partition(" ")
        text = text.strip()
        if scheme.casefold() != "bearer" or not text:
            raise Refused("not a bearer token")
        if not text.startswith(f"{PREFIX}_"):
            return self._entra(text, ambient=False)
        token = tokens.token_of(self.engine, text, self.clock())
        if token is None:
            raise Refused("an unknown, expired or revoked API token")
        return Caller(f"token:{token.name}", token.roles, secret=text, token_id=token.id)

    def _entra(self, text: str, *, ambient: bool) -> Caller:
        if self.entra is None:
            raise Refused("bearer tokens of Entra ID are not configured")
        return self.entra.caller_of(text, ambient=ambient)


def cookie_of(header: str, name: str) -> str | None:
    """The value of a cookie."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return None
    found = jar.get(name)
    return found.value if found is not None and 0 < len(found.value) <= 200 else None
