"""Group robots: what is sent where, and that only the code 0 counts as delivered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from auditor.clouds import PUBLIC
from auditor.errors import UsageProblem
from auditor.findings import Finding
from auditor.notify import Chat, Refused, check_chats, message_of
from auditor.notify.robots import Call, call_robot, robot_call
from auditor.values import Outcome
from tests.notify.receiving import NOW, Receiver, news
from tests.report.factory import finding, report, rid

WECOM, DINGTALK, FEISHU = "wecombot://KEY-aB", "dingtalk://SEC%2Fret@ToKeN/13800000000", "feishu://ToKeN"


def call(address: str) -> Call:
    made = robot_call(address, news(), NOW)
    assert made is not None
    return made


def test_each_robot_is_called_at_its_place_with_the_text() -> None:
    text = f"{news().title}\n{news().text()}"
    wecom, dingtalk, feishu = call(WECOM), call(DINGTALK), call(FEISHU)
    assert wecom.url == "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=KEY-aB"
    assert wecom.body == {"msgtype": "text", "text": {"content": text}}
    assert feishu.url == "https://open.feishu.cn/open-apis/bot/v2/hook/ToKeN"
    assert feishu.body == {"msg_type": "text", "content": {"text": text}}
    assert dingtalk.url.startswith("https://oapi.dingtalk.com/robot/send?access_token=ToKeN&timestamp=")
    assert dingtalk.body["at"] == {"atMobiles": ["13800000000"], "isAtAll": False}
    assert all(secret not in repr((wecom, dingtalk, feishu)) for secret in ("KEY-aB", "ToKeN", "SEC"))


def test_dingtalk_is_signed_and_the_signature_encoded_once() -> None:
    asked = parse_qs(urlsplit(call(DINGTALK).url).query)
    (stamp,), (sign,) = asked["timestamp"], asked["sign"]
    assert int(stamp) == int(NOW.timestamp()) * 1000
    wanted = hmac.new(b"SEC/ret", f"{stamp}\nSEC/ret".encode(), hashlib.sha256).digest()
    assert base64.b64decode(sign, validate=True) == wanted
    assert "sign" not in call("dingtalk://ToKeN").url


def test_feishu_is_signed_in_the_body_where_a_secret_is_given() -> None:
    body = call("feishu://SECRET@ToKeN").body
    wanted = hmac.new(f"{int(NOW.timestamp())}\nSECRET".encode(), digestmod=hashlib.sha256).digest()
    assert (body["timestamp"], base64.b64decode(body["sign"])) == (str(int(NOW.timestamp())), wanted)


def test_a_text_is_as_long_as_wecom_takes() -> None:
    names = [rid("Microsoft.Network/virtualNetworks/subnets", "v", f"s{number}") for number in range(60)]
    found: list[Finding] = [
        finding(resource_id=each, outcome=Outcome.FAIL, drift="new", message="段" * 300) for each in names
    ]
    message = message_of(report(*found), "zh-CN")
    assert message is not None
    made = robot_call(WECOM, message, NOW)
    assert made is not None
    content = made.body["text"]["content"]
    assert 1_000 < len(content.encode()) <= 2_048
    assert content.splitlines()[-2] == "另有 58 项"


def test_a_key_stays_one_key() -> None:
    assert call("wecombot://a%26key%3Db").url.endswith("?key=a%26key%3Db")
    assert call("feishu://a%2F..%2Fb").url.endswith("/hook/a%2F..%2Fb")


def test_other_addresses_are_left_to_apprise() -> None:
    assert robot_call("slack://a/b/c", news(), NOW) is None


@pytest.mark.parametrize(
    "address", ["wecombot://", "wecombot://KEY?verify=no", "wecombot://SECRET@KEY", "dingtalk://SECRET@"]
)
def test_an_odd_address_is_told_at_the_start(address: str) -> None:
    with pytest.raises(UsageProblem, match="takes a key, and no options") as told:
        check_chats([Chat("team", address)])
    assert "KEY" not in str(told.value)
    check_chats([Chat("team", each) for each in (WECOM, DINGTALK, FEISHU)])


ANSWERS: dict[str, tuple[bytes, str]] = {
    "wrong key": (b'{"errcode": 93000, "errmsg": "invalid webhook url KEY-aB"}', "code 93000"),
    "wrong signature": (b'{"errcode": 310000, "errmsg": "sign not match"}', "code 310000"),
    "bad request": (b'{"code": 9499, "msg": "Bad Request", "data": {}}', "code 9499"),
    "no code": (b"{}", "an answer without a code"),
    "a code of another kind": (b'{"errcode": false}', "an answer without a code"),
    "a page": (b"<html>sign in</html>", "no JSON object"),
    "nothing": (b"", "no JSON object"),
    "a list": (b"[0]", "no JSON object"),
}


def answering(receiver: Receiver, body: bytes, **how: Any) -> Call:
    receiver.status, receiver.body = 200, body
    return replace(call(WECOM), url=receiver.url, **how)


@pytest.mark.parametrize(("body", "note"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_of_200_that_says_no_is_a_refusal(receiver: Receiver, body: bytes, note: str) -> None:
    with pytest.raises(Refused, match=note) as refused:
        call_robot(answering(receiver, body), PUBLIC)
    assert "KEY-aB" not in str(refused.value)


@pytest.mark.parametrize("body", [b'{"errcode": 0, "errmsg": "ok"}', b'{"code": 0, "msg": "success", "data": {}}'])
def test_the_code_0_is_a_delivery(receiver: Receiver, body: bytes) -> None:
    made = answering(receiver, body)
    call_robot(made, PUBLIC)
    ((headers, got),) = receiver.got
    assert json.loads(got) == made.body
    assert headers["content-type"] == "application/json; charset=utf-8"
