"""One attempt to deliver one parcel: a signed CloudEvent to a webhook, text to a chat, rows to a log table."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from auditor.clouds import PUBLIC, CloudProfile
from auditor.errors import UsageProblem
from auditor.notify.message import Message, decoded, trial
from auditor.notify.parcel import Parcel
from auditor.notify.posting import post
from auditor.notify.refusal import Refused
from auditor.notify.robots import call_robot, robot_call
from auditor.notify.targets import Chat, LogTable, Target, Webhook, is_loopback, is_metadata

if TYPE_CHECKING:
    from auditor.notify.ingestion import Ingestion

TYPE = "auditor.drift.v1"
EPOCH = datetime.fromtimestamp(0, UTC)


class Sender:
    """Sends, and keeps what is worth keeping between two attempts: the sign-in to Azure."""

    def __init__(
        self, cloud: CloudProfile = PUBLIC, environment: Mapping[str, str] | None = None, tenant: str | None = None
    ) -> None:
        self._cloud, self._environment, self._tenant = cloud, environment or {}, tenant
        self._lock = threading.Lock()
        self._ingestion: Ingestion | None = None

    def send(self, target: Target, parcel: Parcel, now: datetime) -> None:
        """Deliver, or raise Refused."""
        try:
            match target:
                case Webhook():
                    _to_webhook(target, decoded(parcel.content), now, self._cloud)
                case Chat():
                    _to_chat(target, decoded(parcel.content), now, self._cloud)
                case LogTable():
                    self._signed_in().send(target, parcel)
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an address does to a library is this receiver's trouble only
            # Its words may hold the address, which is a secret.
            raise Refused(type(error).__name__) from None

    def close(self) -> None:
        """Close what was opened."""
        if self._ingestion is not None:
            self._ingestion.close()

    def _signed_in(self) -> Ingestion:
        from auditor.notify.ingestion import Ingestion

        with self._lock:
            if self._ingestion is None:
                self._ingestion = Ingestion(self._cloud, self._environment, self._tenant)
            return self._ingestion


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


def check_chats(targets: Iterable[Target]) -> None:
    """Raise UsageProblem for what would otherwise be noticed in the first bad night: no package, no such address."""
    for target in targets:
        if isinstance(target, Chat):
            try:
                robot = robot_call(target.url, trial(EPOCH, "en"), EPOCH) is not None
                if not robot and importlib.util.find_spec("apprise") is None:
                    raise UsageProblem(
                        f"[[notify]] `{target.name}` needs the package `apprise`", hint="pip install 'auditor[notify]'"
                    )
                if not robot:
                    _notifier(target)
            except Refused as refused:
                raise UsageProblem(f"[[notify]] `{target.name}`: {refused}") from None


def _to_webhook(target: Webhook, message: Message, now: datetime, cloud: CloudProfile) -> None:
    body, timestamp = event(message), int(now.astimezone(UTC).timestamp())
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(target.secret, message.id, timestamp, body),
    }
    post(target.url, body, headers, cloud)


def _to_chat(target: Chat, message: Message, now: datetime, cloud: CloudProfile) -> None:
    call = robot_call(target.url, message, now)
    if call is not None:
        call_robot(call, cloud)
    else:
        _through_apprise(target, message)


def _through_apprise(target: Chat, message: Message) -> None:
    import apprise

    notifier = _notifier(target)
    room = notifier.body_maxlen - len(message.title.encode()) - 2
    text = message.text(most_bytes=max(room, 200))
    if not notifier.notify(title=message.title, body=text, body_format=apprise.NotifyFormat.TEXT):
        raise Refused("the receiver did not take it")


def _notifier(target: Chat) -> Any:
    """Apprise's part that speaks to this service, with nothing left to chance; Refused if it would speak in clear."""
    import logging

    import apprise

    # Its log lines may hold addresses, and it says everything as a result too.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(http_redirects=False, secure_logging=True)
    notifier: Any = apprise.Apprise.instantiate(target.url, asset=asset, suppress_exceptions=True)
    if notifier is None:
        raise Refused("apprise does not understand the address")
    notifier.redirects = False  # whatever the address says
    clear = notifier.protocol or ()
    scheme = target.url.partition(":")[0].casefold()
    host = str(getattr(notifier, "host", None) or "")
    if scheme in ((clear,) if isinstance(clear, str) else clear) and not is_loopback(host):
        raise Refused(f"`{scheme}://` sends without TLS (on loopback only)")
    if not notifier.verify_certificate:
        raise Refused("`verify=no` would send to whoever answers")
    if is_metadata(host):
        raise Refused("the address is that of a metadata service, not of a receiver")
    return notifier
