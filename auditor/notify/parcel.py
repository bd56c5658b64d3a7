"""What the outbox keeps for one receiver about one run: a parcel, or several where the receiver takes no large ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditor.findings import Report
from auditor.notify.message import encoded, message_of, trial
from auditor.notify.targets import Chat, LogTable, Target, Webhook


@dataclass(frozen=True, slots=True)
class Parcel:
    """Text that is sent as one, under an id that stays the same however often it is sent."""

    id: str
    content: str


def trial_parcel(target: Target, now: datetime, lang: str = "en") -> Parcel:
    """What tries a receiver: a message, or a row, about nothing."""
    message = trial(now, lang)
    match target:
        case LogTable():
            import msgspec

            from auditor.notify.rows import packed, trial_row

            return Parcel(message.id, packed([msgspec.json.encode(trial_row(message))]))
        case Webhook():
            return Parcel(message.id, encoded(message))
        case Chat():
            return Parcel(message.id, encoded(trial(now, target.lang or lang)))


def parcels_for(target: Target, report: Report, lang: str = "en") -> tuple[Parcel, ...]:
    """What a run is to this receiver; nothing if there is no news for it. `lang` is the program's language."""
    match target:
        case LogTable():
            from auditor.notify.rows import row_parcels

            return tuple(Parcel(*each) for each in row_parcels(report, everything=target.rows == "all"))
        case Webhook():
            message = message_of(report)
        case Chat():
            message = message_of(report, target.lang or lang)
    return () if message is None else (Parcel(message.id, encoded(message)),)
