"""What is fuzzed byte by byte: each target takes any bytes and answers, or refuses in words. Anything else is a defect.

`test_targets.py` replays the corpus and counts steps; `scripts/fuzz.py` lets atheris look for bytes that reach new
code.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditor import waivers
from auditor.access.conditions import reach
from auditor.access.patterns import doubtful, matches, may_reach
from auditor.config import load_settings
from auditor.errors import AuditorError
from auditor.inventory import Builder, read_rows
from auditor.network.reading import read_rule
from auditor.network.rules import SecurityRule
from auditor.report import read_report
from auditor.scan import scan
from tests.estate import cluster, nsg, rows, subnet

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"
_FOLDER = Path(tempfile.mkdtemp(prefix="auditor-fuzz-"))


def snapshot(data: bytes) -> None:
    """Rows of a snapshot, plain or zipped away from here, into an inventory that is walked once."""
    builder = Builder()
    builder.add_all(read_rows(io.BytesIO(data), "fuzz"), "fuzz")
    for _ in builder.build(now=NOW).audited():
        pass


def settings(data: bytes) -> None:
    """A configuration file."""
    load_settings({"config": str(_written("auditor.toml", data))}, {}, _FOLDER)


def waiver_file(data: bytes) -> None:
    """A file of waivers."""
    path = _written("waivers.toml", data)
    waivers.check(path)
    waivers.load(path)


def report(data: bytes) -> None:
    """A report that is given as a baseline."""
    read_report(_written("report.json", data))


def rule(data: bytes) -> None:
    """A security rule: its texts, a line each."""
    texts = data.decode("utf-8", "replace").split("\n")
    texts += [""] * (8 - len(texts))
    number = texts[0].strip()
    made = SecurityRule(
        name="fuzz",
        priority=int(number) if number.isascii() and number.isdigit() and len(number) < 9 else None,
        direction=texts[1],
        access=texts[2],
        protocol=texts[3],
        sources=tuple(texts[4].split(",")),
        source_ports=tuple(texts[5].split(",")),
        destinations=tuple(texts[6].split(",")),
        destination_ports=tuple(texts[7].split(",")),
    )
    read_rule(made, 0, "public", None, {})


def access(data: bytes) -> None:
    """A condition of a role assignment, and the same text as an action's pattern."""
    text = data.decode("utf-8", "replace")
    reach(text, (JOIN, "Microsoft.Network/*/read"))
    matches(text, JOIN)
    doubtful(text, JOIN)
    may_reach(text, "Microsoft.Network")


def _estate() -> list[dict[str, Any]]:
    return rows(cluster(nodes=subnet(nsg=nsg("nodes"))))[0]


def judged(data: bytes) -> None:
    """A whole scan of an estate with one more line; no check breaks over it."""
    lines = b"\n".join(json.dumps(row).encode() for row in _estate())
    path = _written("estate.jsonl", lines + b"\n" + data)
    given = {"snapshot": (str(path),), "no_history": True, "skip_broken_lines": True}
    found = scan(load_settings(given, {}, _FOLDER), environment={}, clock=lambda: NOW).report.findings
    broken = [f"{each.check}: {each.message}" for each in found if each.reason in ("check-error", "no-verdict")]
    assert not broken, broken


def _written(name: str, data: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    return path


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (snapshot, settings, waiver_file, report, rule, access, judged)
}


def tried(name: str, data: bytes) -> None:
    """One target on some bytes; a refusal in words is an answer."""
    with contextlib.suppress(AuditorError):
        TARGETS[name](data)
