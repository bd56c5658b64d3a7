"""How often one may ask: Resource Graph's user quota and ARM's token buckets of reads.

Both clocks are passed in, so that a test drives time instead of waiting for it.
Sources: Resource Graph `guidance-for-throttled-requests`, ARM `request-limits-and-throttling`.
"""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auditor.replica.answers import Answer, arm_error

Clock = Callable[[], float]
"""Seconds since any fixed moment, never going back."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits in force; None switches a limit off, its headers included."""

    queries: int | None = 15
    window_s: float = 5.0
    reads: int | None = 250
    reads_per_s: float = 25.0


OFF = Quota(queries=None, reads=None)


class Throttle:
    """Counts what each application has used."""

    def __init__(self, quota: Quota, clock: Clock) -> None:
        self._quota = quota
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def query(self, application: str, now_text: str) -> tuple[Mapping[str, str], Answer | None]:
        """Take one Resource Graph query: the headers to send, and the 429 if there was none left."""
        if self._quota.queries is None:
            return {}, None
        with self._lock:
            now = self._clock()
            began, used = self._windows.get(application, (now, 0))
            if now - began >= self._quota.window_s:
                began, used = now, 0
            left_s = max(1, math.ceil(began + self._quota.window_s - now))
            refused = used >= self._quota.queries
            used += 0 if refused else 1
            self._windows[application] = (began, used)
        headers = {
            "x-ms-user-quota-remaining": str(self._quota.queries - used),
            "x-ms-user-quota-resets-after": _clock_text(left_s),
        }
        if not refused:
            return headers, None
        return headers, arm_error(
            429,
            "RateLimiting",
            f"Please provide below info when asking for support: timestamp = {now_text}.",
            headers={**headers, "Retry-After": str(left_s)},
            details=[
                {
                    "code": "RateLimiting",
                    "message": "Client application has been throttled and should not attempt to repeat the request "
                    "until an amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help.",
                }
            ],
        )

    def read(self, application: str, subscription: str | None) -> tuple[Mapping[str, str], Answer | None]:
        """Take one ARM read from the bucket of the subscription, or of the tenant where the path names none."""
        if self._quota.reads is None:
            return {}, None
        with self._lock:
            now = self._clock()
            key = (application, subscription or "")
            tokens, at = self._buckets.get(key, (float(self._quota.reads), now))
            tokens = min(float(self._quota.reads), tokens + (now - at) * self._quota.reads_per_s)
            refused = tokens < 1
            tokens -= 0 if refused else 1
            self._buckets[key] = (tokens, now)
        kind = "tenant" if subscription is None else "subscription"
        headers = {f"x-ms-ratelimit-remaining-{kind}-reads": str(int(tokens))}
        if not refused:
            return headers, None
        wait_s = max(1, math.ceil((1 - tokens) / self._quota.reads_per_s))
        return headers, arm_error(
            429,
            f"{kind.capitalize()}RequestsThrottled",
            f"Number of 'read' requests for {kind} '{subscription or ''}' exceeded the limit. "
            f"Please try again after '{wait_s}' seconds after additional tokens are available.",
            headers={**headers, "Retry-After": str(wait_s)},
        )


def _clock_text(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
