"""One more connection to Azure, for what is asked once the verdicts are known: made at the first question only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from auditor import findings
from auditor.collect.failures import Failure, describe
from auditor.collect.governor import Governor
from auditor.collect.request import Clock, CollectRequest, Stopped

if TYPE_CHECKING:
    from auditor.collect.wire import Wire

T = TypeVar("T")

LONGEST_S = 300.0
"""Seconds after which nothing is asked any more: a report that waits for its confirmation helps nobody."""


class Link:
    """A scan's second connection. Sends GETs and queries only, as the first one does."""

    def __init__(self, request: CollectRequest, clock: Clock, stop: Callable[[], bool]) -> None:
        self.request = request
        self.now = clock.now
        self._clock, self._stop = clock, stop
        self._lock = threading.Lock()
        self._governor: Governor | None = None
        self._wire: Wire | Failure | None = None

    def wire(self) -> Wire:
        """The signed-in connection; Failure if there is none to be had."""
        with self._lock:
            if self._wire is None:
                self._wire = self._signed_in()
        if isinstance(self._wire, Failure):
            raise self._wire
        return self._wire

    def _signed_in(self) -> Wire | Failure:
        from auditor.collect.wire import WIRE_ERRORS, Wire

        request = self.request
        deadline = self._clock.monotonic() + LONGEST_S
        self._governor = Governor(self._clock, max_rps=request.max_rps, deadline=deadline)
        wire = Wire(request, self._governor)
        try:
            # Once, before threads would each fetch a token of their own.
            wire.sign_in()
        except WIRE_ERRORS as error:
            wire.close()
            return describe(error)
        return wire

    def stopped(self) -> None:
        """Raise Stopped if somebody asked the scan to end."""
        if self._stop():
            raise Stopped("stopped before everything was confirmed")

    def each(self, calls: Sequence[Callable[[], T]]) -> list[T | Failure]:
        """The answers of independent calls, in their order; a Failure where there is none."""
        if not calls:
            return []
        with ThreadPoolExecutor(max_workers=self.request.threads, thread_name_prefix="confirm") as pool:
            return list(pool.map(self._tried, calls))

    def _tried(self, call: Callable[[], T]) -> T | Failure:
        self.stopped()
        try:
            return call()
        except Failure as failure:
            return failure

    def requests(self) -> findings.Requests:
        """What was asked over this connection: each try counts."""
        return self._governor.requests() if self._governor is not None else findings.Requests()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._wire is not None and not isinstance(self._wire, Failure):
            self._wire.close()


@contextmanager
def linked(request: CollectRequest, clock: Clock, stop: Callable[[], bool]) -> Iterator[Link]:
    """A Link that is closed at the end."""
    link = Link(request, clock, stop)
    try:
        yield link
    finally:
        link.close()


def together(one: findings.Requests, other: findings.Requests) -> findings.Requests:
    """Two counts of requests as one."""
    counts = dict(one.by_operation)
    for operation, number in other.by_operation.items():
        counts[operation] = counts.get(operation, 0) + number
    return findings.Requests(
        total=one.total + other.total,
        by_operation=dict(sorted(counts.items())),
        throttled=one.throttled + other.throttled,
        retried=one.retried + other.retried,
    )
