"""Bearer tokens of Entra ID: believed only if the tenant's own keys signed them, for this service, now.

What is checked: the algorithm (RS256, whatever the token says), the signature by a key that the cloud's OpenID metadata
names, issuer, audience, tenant, and times. What a token says of its own keys (`jku`, `x5u`, `jwk`) is never looked at.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from auditor.service.roles import Caller, Role

LEEWAY_S = 60
"""How far the clocks of the authority and of this machine may be apart."""
LONGEST = 16_384
"""Characters of a token; longer ones are not even parsed."""
KEYS_GOOD_FOR_S = 24 * 3600.0
KEYS_USED_UNTIL_S = 48 * 3600.0
"""Old keys serve while the authority cannot be asked, so long at most."""
_ASK_AGAIN_S = 60.0
"""An unknown key's name makes the authority be asked again, so seldom that nobody can use us to flood it."""
_TRY_AGAIN_S = 5.0
"""So long after it could not be asked."""
_ANSWER_MOST = 1_000_000
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_log = logging.getLogger(__name__)


class Refused(Exception):
    """A credential that opens nothing; why is for the log, the caller learns only that it does not."""


class AuthorityDown(Exception):
    """The authority could not be asked for its keys, so nobody's token can be judged."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Whose tokens are believed: a tenant (by its id) of a cloud's authority, and for whom they must be made out."""

    host: str
    tenant: str
    audiences: tuple[str, ...]
    ca_bundle: Path | None = None

    @property
    def metadata_url(self) -> str:
        """OpenID Connect discovery of the tenant."""
        return f"{self.host}/{self.tenant}/v2.0/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class _Keys:
    issuer: str
    by_id: Mapping[str, Mapping[str, Any]]
    read_at: float


Fetch = Callable[[str], bytes]


class EntraTokens:
    """Judges tokens; asks the authority for its keys when it has none, or none of that name."""

    def __init__(
        self, authority: Authority, *, fetch: Fetch | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._authority = authority
        self._fetch = fetch or _over_tls(authority.ca_bundle)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: _Keys | None = None
        self._ask_from: float | None = None

    def caller_of(self, text: str, *, ambient: bool = False) -> Caller:
        """Who presents this token. Raises Refused, or AuthorityDown if that cannot be told now."""
        import jwt

        if len(text) > LONGEST:
            raise Refused("the token is too long")
        key_id = _key_id(text)
        keys = self._keys_with(key_id)
        try:
            key = jwt.PyJWK(dict(keys.by_id[key_id]), algorithm="RS256")
            claims = jwt.decode(
                text,
                key,
                algorithms=["RS256"],
                audience=list(self._authority.audiences),
                issuer=keys.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "nbf", "iat", "iss", "aud"]},
            )
        except jwt.PyJWTError as problem:
            raise Refused(f"{type(problem).__name__}: {problem}") from None
        return self._caller(claims, text, ambient=ambient)

    def _caller(self, claims: Mapping[str, Any], text: str, *, ambient: bool) -> Caller:
        tenant, person = claims.get("tid"), claims.get("oid")
        if not isinstance(tenant, str) or tenant.casefold() != self._authority.tenant.casefold():
            raise Refused("the token is of another tenant")
        if not isinstance(person, str) or not _GUID.fullmatch(person.casefold()):
            raise Refused("the token names no object id")
        given = claims.get("roles", [])
        roles = frozenset(role for role in Role if isinstance(given, list) and role in given)
        return Caller(f"entra:{person.casefold()}", roles, ambient=ambient, secret=text)

    def _keys_with(self, key_id: str) -> _Keys:
        """Keys among which one has this name. Raises Refused if the authority has no such key."""
        with self._lock:
            now = self._monotonic()
            keys = self._keys
            fresh = keys is not None and now - keys.read_at < KEYS_GOOD_FOR_S
            may_ask = self._ask_from is None or now >= self._ask_from
            if may_ask and not (fresh and keys is not None and key_id in keys.by_id):
                answered = self._asked(now)
                self._ask_from = now + (_TRY_AGAIN_S if answered is None else _ASK_AGAIN_S)
                self._keys = keys = answered or keys
            if keys is None or now - keys.read_at >= KEYS_USED_UNTIL_S:
                raise AuthorityDown("the authority's keys could not be read")
        if key_id not in keys.by_id:
            raise Refused("no key of the authority has that name")
        return keys

    def _asked(self, now: float) -> _Keys | None:
        """The authority's keys as it shows them now; None if it cannot be asked."""
        try:
            metadata = msgspec.json.decode(self._fetch(self._authority.metadata_url), type=dict[str, Any])
            issuer, address = metadata["issuer"], metadata["jwks_uri"]
            if not isinstance(issuer, str) or self._authority.tenant.casefold() not in issuer.casefold():
                raise ValueError("the metadata's issuer is not this tenant")
            if not isinstance(address, str) or not address.startswith("https://"):
                raise ValueError("the metadata's keys do not lie behind https")
            found = msgspec.json.decode(self._fetch(address), type=dict[str, Any])["keys"]
            keys = {key["kid"]: key for key in found if _signs(key)}
        except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError) as problem:
            _log.warning("the authority's keys could not be read: %s", type(problem).__name__)
            return None
        return _Keys(issuer, keys, now)


def _signs(key: Any) -> bool:
    """Whether it is an RSA key for signatures, with a name."""
    return (
        isinstance(key, dict)
        and key.get("kty") == "RSA"
        and key.get("use", "sig") == "sig"
        and key.get("alg", "RS256") == "RS256"
        and isinstance(key.get("kid"), str)
    )


def _key_id(text: str) -> str:
    """The name of the key that a token claims to be signed with. Raises Refused for what no such token looks like."""
    import jwt

    try:
        header = jwt.get_unverified_header(text)
    except jwt.PyJWTError as problem:
        raise Refused(f"not a token: {problem}") from None
    if header.get("alg") != "RS256":
        raise Refused("the token is not signed with RS256")
    if "crit" in header:
        raise Refused("the token demands an extension")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= 200:
        raise Refused("the token names no key")
    return key_id


def _over_tls(ca_bundle: Path | None) -> Fetch:
    def fetch(url: str) -> bytes:
        import requests

        verify: bool | str = True if ca_bundle is None else str(ca_bundle)
        with requests.get(url, timeout=(5, 10), verify=verify, allow_redirects=False, stream=True) as response:
            if response.status_code != 200:
                raise OSError(f"status {response.status_code}")
            content = response.raw.read(_ANSWER_MOST + 1, decode_content=True)
        if len(content) > _ANSWER_MOST:
            raise ValueError("the answer is too long")
        return bytes(content)

    return fetch
