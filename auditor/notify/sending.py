"""One attempt to deliver one message: a signed CloudEvent to a webhook, or text through apprise."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
from datetime import UTC, datetime
from typing import Any

import msgspec

from auditor.errors import UsageProblem
from auditor.notify.message import Message
from auditor.notify.targets import Target

TYPE = "auditor.drift.v1"
TIMEOUT_S = 10.0


class Refused(Exception):
    """It was not delivered, and why, without the address."""


def send(target: Target, message: Message, now: datetime) -> None:
    """Deliver, or raise Refused."""
    if target.kind == "apprise":
        _through_apprise(target, message)
    else:
        _to_webhook(target, message, now)


def event(message: Message) -> bytes:
    """CloudEvents 1.0, JSON, structured mode. The id is the message's: a receiver drops what it has seen."""
    told: dict[str, Any] = {
        "specversion": "1.0",
        "id": message.id,
        "source": "urn:auditor",
        "type": TYPE,
        "subject": message.run_id,
        "time": message.at,
        "datacontenttype": "application/json",
        "data": message,
    }
    return msgspec.json.encode(told)


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over id, time and body, as the Standard Webhooks specification writes it: `v1,` and base64."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def need_apprise() -> None:
    """Raise UsageProblem if the package of the extra is missing."""
    if importlib.util.find_spec("apprise") is None:
        raise UsageProblem("chat and e-mail need the package `apprise`", hint="pip install 'auditor[notify]'")


def _to_webhook(target: Target, message: Message, now: datetime) -> None:
    import requests

    body, timestamp = event(message), int(now.astimezone(UTC).timestamp())
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(target.secret, message.id, timestamp, body),
    }
    try:
        # A redirect could carry findings anywhere: it counts as a refusal. Of the answer only the status is read.
        with requests.post(
            target.url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True
        ) as answer:
            status = answer.status_code
    except requests.RequestException as error:
        raise Refused(type(error).__name__) from None
    if not 200 <= status < 300:
        raise Refused(f"status {status}")


def _through_apprise(target: Target, message: Message) -> None:
    import apprise

    notifier = apprise.Apprise()
    if not notifier.add(target.url):
        raise Refused("apprise does not understand the address")
    if not notifier.notify(title=message.title, body=message.text, body_format=apprise.NotifyFormat.TEXT):
        raise Refused("the receiver did not take it")
