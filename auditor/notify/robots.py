"""Group robots of WeCom, DingTalk and Feishu, spoken to directly.

They answer 200 to what they refuse too (a wrong key, a wrong signature, too many messages) and tell so in a code of
the body only, which apprise reads for Feishu alone: a message that nobody saw would count as delivered. The addresses
are apprise's. Sources: the services' pages on group robots, read in November 2026.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import msgspec

from auditor.clouds import CloudProfile
from auditor.notify.message import Message
from auditor.notify.posting import post
from auditor.notify.refusal import Refused

_MOST_BYTES = {"wecombot": 2_048, "dingtalk": 18_000, "feishu": 18_000}
"""Of a text; WeCom's limit, and what leaves room below the 20 kB that the others allow a request."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a robot. The URL is its secret."""

    url: str = field(repr=False)
    body: dict[str, Any]


def robot_call(address: str, message: Message, now: datetime) -> Call | None:
    """What to send to the robot at this address; None if it is another service's. Refused for an odd address."""
    parts = urlsplit(address)
    if parts.scheme not in _MOST_BYTES:
        return None
    secret, _, key = parts.netloc.rpartition("@")
    key, secret = unquote(key), unquote(secret)
    if not key or parts.query or parts.fragment or (secret and parts.scheme == "wecombot"):
        raise Refused(f"`{parts.scheme}://` takes a key, and no options")
    room = _MOST_BYTES[parts.scheme] - len(message.title.encode()) - 1
    text = f"{message.title}\n{message.text(most_bytes=room)}"
    match parts.scheme:
        case "wecombot":
            url = f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={quote(key, safe='')}"
            return Call(url, {"msgtype": "text", "text": {"content": text}})
        case "dingtalk":
            asked = {"access_token": key} | (_signed(secret, now) if secret else {})
            phones = [unquote(each) for each in parts.path.split("/") if each]
            body = {"msgtype": "text", "text": {"content": text}, "at": {"atMobiles": phones, "isAtAll": False}}
            return Call(f"https://oapi.dingtalk.com/robot/send?{urlencode(asked)}", body)
        case _:
            url = f"https://open.feishu.cn/open-apis/bot/v2/hook/{quote(key, safe='')}"
            signed = _signed_for_feishu(secret, now) if secret else {}
            return Call(url, {"msg_type": "text", "content": {"text": text}, **signed})


def call_robot(call: Call, cloud: CloudProfile) -> None:
    """Send it, or raise Refused; only the code 0 in the answer is a delivery."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = post(call.url, msgspec.json.encode(call.body), headers, cloud, read_answer=True)
    try:
        told = msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.DecodeError:
        raise Refused("an answer that is no JSON object") from None
    code = told.get("errcode", told.get("code"))
    if isinstance(code, bool) or not isinstance(code, int):
        raise Refused("an answer without a code")
    if code != 0:
        raise Refused(f"code {code}")


def _signed_for_feishu(secret: str, now: datetime) -> dict[str, str]:
    """Time in seconds, and HMAC-SHA256 over nothing, by the time, a line break and the secret."""
    stamp = str(int(now.timestamp()))
    digest = hmac.digest(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256)
    return {"timestamp": stamp, "sign": base64.b64encode(digest).decode()}


def _signed(secret: str, now: datetime) -> dict[str, str]:
    """Time in milliseconds, and HMAC-SHA256 over it, a line break and the secret, by the secret."""
    stamp = str(round(now.timestamp() * 1000))
    digest = hmac.digest(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256)
    return {"timestamp": stamp, "sign": base64.b64encode(digest).decode()}
