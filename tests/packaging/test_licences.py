"""docs/licences.md names each pinned package, in its pinned version, with a licence."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)(.*)", re.MULTILINE)


def test_every_pinned_package_is_listed_with_its_version_and_a_licence() -> None:
    listed = dict(
        re.findall(r"^\| ([^ |]+) \| (.*) \|$", (ROOT / "docs" / "licences.md").read_text(encoding="utf-8"), re.M)
    )
    for name in ("runtime", "replica", "serve"):
        for package, version, marker in PIN.findall(
            (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        ):
            told_version, _, licence = listed[package].partition(" | ")
            if told_version or ";" not in marker:
                assert told_version == version, package
                assert licence not in ("", "not stated", "not installed here"), package


def test_no_package_asks_for_more_than_we_can_give() -> None:
    """Copyleft that reaches the programs around it would be a decision of its own."""
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    assert not re.findall(r"AGPL|Affero|(?<!L)GPL-?[23](?!.*exception)", page)
