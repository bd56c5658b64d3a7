"""docs/notifications.md: its addresses are understood, its configuration is read, its code believes what is genuine."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.notify import read_targets, signature

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
SAMPLES = {
    "WORKFLOW": "a" * 32,
    "SIGNATURE": "b" * 32,
    "SMTP-HOST": "smtp.example.com",
    "HOST": "prod.example.com",
    "TOKEN-A": "T1JJ3T3L2",
    "TOKEN-B": "A1BRTD4JD",
    "TOKEN-C": "TIiajkdnlazkcOXrIdevi7FQ",
    "TOKEN": "0123456789abcdef" * 4,
    "SECRET": "SEC0123456789abcdef",
    "KEY": "693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa",
    "USER": "auditor",
    "PASSWORD": "p%40ss",
}
KINDS = ["NotifyWeComBot", "NotifyDingTalk", "NotifyFeishu", "NotifyWorkflows", "NotifySlack", "NotifyEmail"]


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # asked for by apprise itself
def test_every_address_is_understood() -> None:
    import apprise

    found = []
    for address in re.findall(r"^\|[^|]+\| `([a-z]+://[^`]+)`", PAGE, re.MULTILINE):
        for name, value in SAMPLES.items():
            address = re.sub(rf"\b{name}\b(?!-)", value, address)
        found.append(type(apprise.Apprise.instantiate(address)).__name__)
    assert found == KINDS


def test_its_configuration_is_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "auditor.toml").write_text(block, encoding="utf-8")
    environ = {"SIEM_URL": "https://siem.example.com/", "SIEM_SECRET": "s" * 24, "TEAM_URL": "wecombot://key"}
    assert [each.name for each in read_targets(tmp_path / "auditor.toml", environ, named=True)] == ["siem", "team"]


def test_its_code_believes_what_is_genuine_and_nothing_else() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    space: dict[str, Any] = {}
    exec(block, space)
    secret, body, now = b"s" * 24, b"{}", int(datetime.now(UTC).timestamp())
    headers = {"webhook-id": "auditor-1", "webhook-timestamp": str(now)}
    headers["webhook-signature"] = signature(secret, "auditor-1", now, body)
    assert space["genuine"](secret, headers, body)
    assert not space["genuine"](secret, headers, b"{ }")
    assert not space["genuine"](b"t" * 24, headers, body)
    old = {**headers, "webhook-timestamp": str(int(time.time()) - 3600)}
    old["webhook-signature"] = signature(secret, "auditor-1", int(old["webhook-timestamp"]), body)
    assert not space["genuine"](secret, old, body)
