"""The quota governor: when the next request may leave. Pure bookkeeping over an injected clock; no SDK, no socket.

Resource Graph says after each answer how many queries this user has left and when the count starts anew
(`x-ms-user-quota-remaining`, `x-ms-user-quota-resets-after`); "15 in 5 seconds" is the documentation's example and only
a hint, other programs of the same user share the count. ARM has a bucket of reads for each subscription
(`x-ms-ratelimit-remaining-subscription-reads`: 250, refilled with 25 a second). The governor holds a request back
while the last known count is used up by those under way, so that the pipe stays full without a 429.

Source: "Guidance for throttled requests in Azure Resource Graph" and "Understand how Azure Resource Manager throttles
requests", read in 2026.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from auditor import findings
from auditor.collect.request import Clock, RequestLog

ARM_REFILL_PER_S = 25.0
"""Tokens a second with which ARM refills a subscription's bucket of reads."""
ARM_RESERVE = 10
"""ARM reads left to others before we slow down to the refill rate."""
_POLL_S = 1.0
"""How often a thread looks whether the first answer was missed; it is woken by it."""


class DeadlinePassed(Exception):
    """The collection's deadline does not allow to wait that long. Never leaves this package: it becomes a gap."""


def resets_after_s(text: str | None) -> float | None:
    """Seconds in a `hh:mm:ss` header (fractions allowed); None if it is not one."""
    if not text:
        return None
    parts = text.strip().split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return None
    if len(numbers) > 3 or any(number < 0 for number in numbers):
        return None
    seconds = 0.0
    for number in numbers:
        seconds = seconds * 60 + number
    return seconds


@dataclass(slots=True)
class _Bucket:
    """One quota as last heard of: None means that nothing is known yet."""

    remaining: int | None = None
    resets_at: float = 0.0
    in_flight: int = 0
    heard: bool = False
    """Whether any answer came yet."""
    resumed: bool = False
    """Whether requests leave because a window's end has passed, and no answer has shown yet that it had."""
    early_s: float = 0.0
    """By how much the told end of a window was seen to be too early: whole seconds may be cut off, not rounded up."""

    def wait_s(self, now: float) -> float:
        """0 if a request may leave now, else how long to hold it."""
        if self.remaining is None or self.remaining - self.in_flight > 0:
            return 0.0
        if now >= self.resets_at:
            # The count has started anew; how far it reaches now the next answer tells.
            self.remaining, self.resumed = None, True
            return 0.0
        return self.resets_at - now


@dataclass(slots=True)
class Governor:
    """Shared by all threads of a collection: paces, counts, and knows the deadline."""

    clock: Clock
    max_rps: float | None = None
    deadline: float | None = None
    """In the clock's monotonic seconds."""
    graph: _Bucket = field(default_factory=_Bucket)
    _arm: dict[str, _Bucket] = field(default_factory=dict)
    _lock: threading.Condition = field(default_factory=threading.Condition)
    on_wait: Callable[[float], None] | None = None
    """Told when a thread begins to wait for a second or more."""
    _next_at: float = 0.0
    _counts: Counter[str] = field(default_factory=Counter)
    _log: list[RequestLog] = field(default_factory=list)
    throttled: int = 0
    retried: int = 0
    waited_s: float = 0.0
    server_date: str | None = None
    """The `Date` header of the last answer."""

    def left_s(self) -> float | None:
        """Seconds to the deadline; None without one."""
        return None if self.deadline is None else self.deadline - self.clock.monotonic()

    def at_most(self, seconds: float) -> float:
        """That long, or to the deadline if it comes earlier; never nothing, which sockets take for "no limit"."""
        left = self.left_s()
        return seconds if left is None else max(0.001, min(seconds, left))

    def wait(self, seconds: float) -> None:
        """Sleep, or DeadlinePassed if that would end behind the deadline."""
        left = self.left_s()
        if left is not None and seconds >= left:
            raise DeadlinePassed
        if seconds > 0:
            if seconds >= 1 and self.on_wait is not None:
                self.on_wait(seconds)
            self.clock.sleep(seconds)
            with self._lock:
                self.waited_s += seconds

    def acquire(self, operation: str, subscription: str | None, *, resource_graph: bool) -> None:
        """Hold the calling thread until a request of this kind may leave."""
        while True:
            with self._lock:
                while resource_graph and self.graph.in_flight and not self.graph.heard:
                    # One goes ahead: an earlier scan, or somebody else, may have left nothing of the quota.
                    self._lock.wait(_POLL_S)
                seconds = self._hold_s(subscription, resource_graph=resource_graph)
                if seconds == 0:
                    self._counts[operation] += 1
                    self._bucket(subscription, resource_graph=resource_graph).in_flight += 1
                    if self.max_rps:
                        self._next_at = max(self._next_at, self.clock.monotonic()) + 1 / self.max_rps
                    return
            self.wait(seconds)

    def _bucket(self, subscription: str | None, *, resource_graph: bool) -> _Bucket:
        return self.graph if resource_graph else self._arm.setdefault(subscription or "", _Bucket())

    def _hold_s(self, subscription: str | None, *, resource_graph: bool) -> float:
        now = self.clock.monotonic()
        held = max(0.0, self._next_at - now) if self.max_rps else 0.0
        bucket = self._bucket(subscription, resource_graph=resource_graph)
        held = max(held, bucket.wait_s(now))
        left = self.left_s()
        if left is not None and left <= 0:
            raise DeadlinePassed
        return held

    def release(
        self,
        operation: str,
        subscription: str | None,
        status: int,
        headers: Mapping[str, str],
        *,
        resource_graph: bool,
        is_retry: bool,
    ) -> None:
        """Take note of an answer; `status` 0 means that none came."""
        now = self.clock.monotonic()
        with self._lock:
            bucket = self._bucket(subscription, resource_graph=resource_graph)
            bucket.in_flight = max(0, bucket.in_flight - 1)
            bucket.heard = True
            self._lock.notify_all()
            if is_retry:
                self.retried += 1
            if status == 429:
                self.throttled += 1
            self.server_date = headers.get("date") or self.server_date
            if resource_graph:
                self._note_graph(bucket, status, headers, now)
                self._log.append(RequestLog(operation, status, None))
            else:
                self._note_arm(bucket, status, headers, now)

    def _note_graph(self, bucket: _Bucket, status: int, headers: Mapping[str, str], now: float) -> None:
        remaining, after = headers.get("x-ms-user-quota-remaining"), headers.get("x-ms-user-quota-resets-after")
        seconds = resets_after_s(after)
        if remaining is not None and remaining.strip().isdigit() and seconds is not None:
            left, resets_at = int(remaining), now + seconds + bucket.early_s
            same = bucket.remaining is not None and now < bucket.resets_at
            if not same:
                bucket.remaining, bucket.resets_at = left, resets_at
            else:
                # Answers arrive out of order: within one window the smaller count is the newer one. And the header has
                # whole seconds, each answer's an upper bound of the window's one end.
                bucket.remaining = min(bucket.remaining or 0, left)
                bucket.resets_at = min(bucket.resets_at, resets_at)
        if status == 429:
            if bucket.resumed:
                bucket.early_s = 1.0
            bucket.remaining = 0
            bucket.resets_at = now + (retry_after_s(headers) or seconds or 1.0) + bucket.early_s
        if status:
            bucket.resumed = False

    def _note_arm(self, bucket: _Bucket, status: int, headers: Mapping[str, str], now: float) -> None:
        remaining = headers.get("x-ms-ratelimit-remaining-subscription-reads")
        if remaining is not None and remaining.strip().isdigit():
            left = int(remaining)
            bucket.remaining = max(0, left - ARM_RESERVE)
            bucket.resets_at = now + 1 / ARM_REFILL_PER_S
        if status == 429:
            bucket.remaining = 0
            bucket.resets_at = now + (retry_after_s(headers) or 1.0)

    def count_rows(self, operation: str, rows: int) -> None:
        """Say how many rows the last answered request of an operation returned."""
        with self._lock:
            for at in range(len(self._log) - 1, -1, -1):
                if self._log[at].operation == operation and self._log[at].rows is None:
                    self._log[at] = RequestLog(operation, self._log[at].status, rows)
                    return

    def log(self) -> tuple[RequestLog, ...]:
        """The Resource Graph requests so far."""
        with self._lock:
            return tuple(self._log)

    def requests(self) -> findings.Requests:
        """The counts as the report carries them: each try counts."""
        with self._lock:
            return findings.Requests(
                total=self._counts.total(),
                by_operation=dict(sorted(self._counts.items())),
                throttled=self.throttled,
                retried=self.retried,
            )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of a `Retry-After` header; None if there is none in seconds."""
    text = headers.get("retry-after") or headers.get("Retry-After")
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
