"""How long anything on the wire is waited for: a transport whose every wait is bounded, counted and injected.

Three waits have no end of their own in the SDKs: a pause that `Retry-After` asks for, a peer that says nothing, and a
peer that sends a body byte by byte (a read timeout counts between two bytes, so such a body never ends). Here a pause
ends at the scan's deadline, a silence after `Patience.silence_s`, and a body after `Patience.body_s`.

Assumption: nobody drips the *headers* of an answer; there only the silence between two bytes is bounded.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import requests
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter
from urllib3.exceptions import DecodeError

from auditor.collect.failures import describe
from auditor.collect.governor import Governor
from auditor.collect.request import Patience


class AnswerTooSlow(requests.ReadTimeout):
    """A body was still arriving when its time was over."""


class TimedBody:
    """A response's body for `requests` to read, piece by piece as they arrive, until its time is over.

    Unzips by itself: urllib3 goes on reading the socket until an unzipped byte comes out, however long that takes.
    """

    def __init__(self, raw: Any, monotonic: Callable[[], float], longest_s: float) -> None:
        self._raw, self._monotonic = raw, monotonic
        self._until = monotonic() + longest_s

    def stream(self, amt: int | None = None, decode_content: bool | None = None) -> Iterator[bytes]:
        """The body, unzipped where that is wanted."""
        zipped = str(self._raw.headers.get("content-encoding") or "").casefold()
        if decode_content is False or not zipped:
            yield from self._arriving(amt)
        elif zipped == "gzip":
            yield from _unzipped(self._arriving(amt))
        else:
            # Nobody asked for it (`Accept-Encoding`); urllib3 knows what to do, or says that it does not.
            yield from self._raw.stream(amt, decode_content=decode_content)

    def _arriving(self, amt: int | None) -> Iterator[bytes]:
        """`read1` returns with what one read of the socket gave; `read` would wait for all of it."""
        while piece := self._raw.read1(amt, decode_content=False):
            if self._monotonic() > self._until:
                self._raw.close()
                self._raw.release_conn()  # or its place in the pool is taken for ever
                raise AnswerTooSlow("the body did not arrive in time")
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _unzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    gunzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for piece in pieces:
            if unzipped := gunzip.decompress(piece):
                yield unzipped
        yield gunzip.flush()
    except zlib.error as error:
        raise DecodeError(f"a body that is not gzip: {error}") from error
    if not gunzip.eof:
        raise DecodeError("a zipped body ends too early")


class PatientAdapter(HTTPAdapter):
    """The pool of connections: threads wait for one instead of opening more, and each body is timed."""

    def __init__(self, governor: Governor, threads: int, longest_s: float) -> None:
        # 16 of 24 connections were thrown away with the default pool of ten; ours blocks instead.
        super().__init__(pool_connections=4, pool_maxsize=max(1, threads), pool_block=True)
        self._governor, self._longest_s = governor, longest_s

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The answer, whose body is read with an eye on the clock."""
        response = super().build_response(req, resp)
        response.raw = TimedBody(resp, self._governor.clock.monotonic, self._governor.at_most(self._longest_s))
        return response


class PatientTransport(RequestsTransport):  # type: ignore[misc]
    """A RequestsTransport whose waiting goes through the governor: injected, counted, and bounded by the deadline."""

    def __init__(self, governor: Governor, threads: int, ca_bundle: str | None, patience: Patience) -> None:
        session = requests.Session()
        session.headers["Accept-Encoding"] = "gzip"
        session.mount("https://", PatientAdapter(governor, threads, patience.body_s))
        verify: Any = ca_bundle if ca_bundle else True
        super().__init__(
            session=session,
            connection_timeout=patience.connect_s,
            read_timeout=patience.silence_s,
            connection_verify=verify,
        )
        self._governor, self._patience = governor, patience

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send, and give up on a silent peer when the deadline does."""
        kwargs["read_timeout"] = self._governor.at_most(self._patience.silence_s)
        return super().send(request, **kwargs)

    def sleep(self, duration: float) -> None:
        """Wait as the retry policy asks; DeadlinePassed ends the call instead."""
        self._governor.wait(duration)


PASSING = frozenset({"timeout", "throttled", "server-error", "connection-lost", "unreachable", "bad-response"})
"""Reasons why a sign-in may succeed a moment later."""
SIGN_IN_TRIES = 3
SIGN_IN_PAUSE_S = 2.0


class PatientCredential:
    """A credential that asks again for a token where the authority failed in passing; the SDKs ask once."""

    def __init__(self, credential: TokenCredential, governor: Governor) -> None:
        self._credential, self._governor = credential, governor

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """The token; the last error if none came in so many tries."""
        for left in reversed(range(SIGN_IN_TRIES)):
            try:
                return self._credential.get_token(*scopes, **kwargs)
            except Exception as error:
                if not left or describe(error).reason not in PASSING:
                    raise
            self._governor.wait(SIGN_IN_PAUSE_S)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the credential's connections, if it holds any."""
        closer = getattr(self._credential, "close", None)
        if closer is not None:
            closer()
