"""docs/notifications.md: its addresses are understood, its configuration is read, its code believes what is genuine."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.cli.commands.notify import command
from auditor.clouds import CHINA, PUBLIC, USGOV
from auditor.notify import message_of, read_targets, signature
from auditor.notify.rows import COLUMNS
from auditor.values import Outcome
from tests.report.factory import finding, report

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")
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
    found = read_targets(tmp_path / "auditor.toml", environ, named=True, cloud=CHINA)
    assert [each.name for each in found] == ["siem", "team", "sentinel"]


def test_its_commands_are_there() -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    verbs = [line.split()[2] for line in block.splitlines()]
    assert sorted(verbs) == sorted(command.commands)


def test_its_clouds_are_those_that_the_program_knows() -> None:
    rows = re.findall(r"^\| [\w ]+ \| `\*\.ingest\.([a-z.]+)` \| `(https://[a-z.]+)` \|$", PAGE, re.MULTILINE)
    assert [f"https://{host}" for host, _ in rows] == [audience for _, audience in rows]
    assert [audience for _, audience in rows] == [each.monitor_audience for each in (PUBLIC, CHINA, USGOV)]


def test_its_columns_are_those_of_the_rows() -> None:
    (part,) = re.findall(r"^\| column \| type \|.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    for names, kinds in re.findall(r"^\| (`.+?`) \| ([\w, ]+) \|", part, re.MULTILINE):
        kind_of_each = kinds.split(", ")
        for number, name in enumerate(re.findall(r"`(\w+)`", names)):
            found[name] = kind_of_each[number]
    assert found == COLUMNS


def test_its_rule_is_the_one_that_is_deployed() -> None:
    (block,) = re.findall(r"```kusto\n(.*?)```", PAGE, re.DOTALL)
    lines = (ROOT / "deploy" / "dashboards" / "kql" / "confirmed-new-failures.kql").read_text(encoding="utf-8")
    assert block == "".join(line for line in lines.splitlines(keepends=True) if not line.startswith("//"))


def test_its_samples_are_what_arrives() -> None:
    texts = {
        "new": ("{cluster} has API server VNet integration, but not private mode: {fqdn} stays public", Outcome.FAIL),
        "resolved": ("{cluster} has no public service frontend", Outcome.PASS),
    }
    facts = {"cluster": "aks-score", "fqdn": "aks-score-1.hcp.chinaeast2.cx.prod.service.azk8s.cn"}
    found = [
        finding(state, outcome=outcome, drift=state, message=text.format(**facts), template=text, facts=facts)  # type: ignore[arg-type]
        for state, (text, outcome) in texts.items()
    ]
    run = report(*found)
    run = msgspec.structs.replace(run, run=msgspec.structs.replace(run.run, id="20261124T020000Z-7f3a00", lang="en"))
    samples = []
    for lang in ("en", "zh-CN"):
        message = message_of(run, lang)
        assert message is not None
        samples.append(f"{message.title}\n{message.text()}\n")
    assert re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) == samples


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
