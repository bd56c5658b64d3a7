"""`docs/service.md` tells the truth: its schedules load, and it names every path, limit, flag and header."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from auditor.cli.commands.serve import OWN
from auditor.service import read_plans
from auditor.service.gate import OPEN, Limits
from auditor.service.jobs import STATES
from auditor.service.options import KEYS, LISTEN
from auditor.service.plans import OF_SETTINGS
from auditor.service.roles import Role
from tests.service.test_openapi import OPERATIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "service.md").read_text(encoding="utf-8")


def test_its_schedules_can_be_meant(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "auditor.toml").write_text(example, encoding="utf-8")
    assert [plan.name for plan in read_plans(tmp_path / "auditor.toml", {}, {}, tmp_path)] == [
        "nightly",
        "rights-weekly",
    ]


def test_it_names_what_there_is() -> None:
    named = [*STATES, *KEYS, *OF_SETTINGS, *Role, *OPEN, LISTEN]
    assert [each for each in named if each not in PAGE] == []
    assert [flag for flag in OWN if f"--{flag.replace('_', '-')}" not in PAGE] == []


def test_it_names_every_operation() -> None:
    last = {path.rstrip("/").rsplit("/", 1)[-1] for _, path in OPERATIONS} - {"{job_id}", "{run_id}", "{new}"}
    assert [each for each in last if each not in PAGE and each != "{format_name}"] == []


def test_its_limits_are_the_programs() -> None:
    limits = Limits()
    rows = PAGE.partition("## Limits")[2]
    assert {each.name for each in fields(limits)} == {
        "headers_s", "body_bytes", "body_s", "answer_s", "at_once", "streams", "url_bytes", "queued",
    }  # fmt: skip
    for text in (
        f"there within {limits.headers_s:g} s",
        f"{limits.body_bytes // 1024} KiB, there within {limits.body_s:g} s",
        f"requests at once | {limits.at_once} ",
        f"streams at once | {limits.streams} ",
        f"| {limits.answer_s:g} s |",
        f"{limits.url_bytes // 1024} KiB | 414",
        f"wait | {limits.queued} ",
    ):
        assert text in rows, text
