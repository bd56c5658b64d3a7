"""Sending on what a run found new, changed or resolved: one message a run, kept until it is delivered."""

from auditor.notify.courier import Courier
from auditor.notify.message import Message, Told, message_of
from auditor.notify.outbox import (
    RESULTS,
    Attempt,
    Standing,
    Waiting,
    again,
    deliver,
    drop,
    put,
    standings,
    undelivered,
)
from auditor.notify.parcel import Parcel, parcels_for, trial_parcel
from auditor.notify.refusal import Refused
from auditor.notify.sending import Sender, check_chats, event, signature
from auditor.notify.targets import Chat, LogTable, Target, Webhook, read_targets

__all__ = [
    "RESULTS",
    "Attempt",
    "Chat",
    "Courier",
    "LogTable",
    "Message",
    "Parcel",
    "Refused",
    "Sender",
    "Standing",
    "Target",
    "Told",
    "Waiting",
    "Webhook",
    "again",
    "check_chats",
    "deliver",
    "drop",
    "event",
    "message_of",
    "parcels_for",
    "put",
    "read_targets",
    "signature",
    "standings",
    "trial_parcel",
    "undelivered",
]
