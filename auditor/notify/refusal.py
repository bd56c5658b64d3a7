"""Why a receiver did not take something, and when to ask again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


class Refused(Exception):
    """It was not delivered, and why, without the address.

    `retry_after` is how long, or until when, the receiver asks to be left alone; `too_large`: it takes less at once.
    """

    def __init__(self, note: str, *, retry_after: timedelta | datetime | None = None, too_large: bool = False) -> None:
        super().__init__(note)
        self.retry_after, self.too_large = retry_after, too_large

    def not_before(self, now: datetime) -> datetime:
        """The earliest time at which the receiver wants to hear of it again."""
        match self.retry_after:
            case None:
                return now
            case timedelta() as pause:
                return now + pause
            case datetime() as until:
                return until


def retry_after(text: str | None) -> timedelta | datetime | None:
    """What a `Retry-After` header says: seconds, or a date (RFC 9110, 10.2.3); None if it says neither."""
    if not text:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return timedelta(seconds=min(int(text), 10**9))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return until if until.tzinfo else until.replace(tzinfo=UTC)
