"""Sending on what a run found new, changed or resolved: one message a run, kept until it is delivered."""

from auditor.notify.courier import Courier
from auditor.notify.message import Message, Told, message_of
from auditor.notify.outbox import Attempt, deliver, put
from auditor.notify.sending import Refused, event, need_apprise, send, signature
from auditor.notify.targets import Target, read_targets

__all__ = [
    "Attempt",
    "Courier",
    "Message",
    "Refused",
    "Target",
    "Told",
    "deliver",
    "event",
    "message_of",
    "need_apprise",
    "put",
    "read_targets",
    "send",
    "signature",
]
