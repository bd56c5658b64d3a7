"""Damaged snapshots, read and judged by every check: no traceback, no broken check, no green that was not there."""

from __future__ import annotations

import functools
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.config import load_settings
from auditor.errors import AuditorError
from auditor.findings import Finding
from auditor.replica.estate import load
from auditor.scan import scan
from tests.fuzz.damage import JUNK, another_type, at, damaged_bytes, hurt, often, places, put, without

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
ESTATE = load(Path(__file__).resolve().parents[2] / "auditor" / "demo" / "estates" / "night-1.json", "public")
HEADER = {
    "type": "auditor/snapshot",
    "version": 1,
    "takenAt": "2026-11-24T02:00:00+00:00",
    "cloud": "public",
    "tenantId": ESTATE.tenant_id,
    "scopes": [f"/subscriptions/{each.id}" for each in ESTATE.subscriptions],
    "gaps": [],
}
ROWS: tuple[dict[str, Any], ...] = tuple({**body, "type": body["type"].lower()} for body in ESTATE.resources)
UNDECIDED = ("fail", "warn", "unknown")

rows = st.integers(0, len(ROWS) - 1)


def lines(*bodies: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(body).encode() for body in (HEADER, *bodies)) + b"\n"


def judged(folder: Path, content: bytes) -> dict[str, Finding]:
    """The findings about a snapshot of these bytes; none where it is refused in so many words."""
    path = folder / "estate.jsonl"
    path.write_bytes(content)
    asked = load_settings({"snapshot": (str(path),), "no_history": True, "skip_broken_lines": True}, {}, folder)
    try:
        report = scan(asked, environment={}, clock=lambda: NOW).report
    except AuditorError:
        return {}
    return {finding.id: finding for finding in report.findings}


@functools.cache
def intact(folder: Path) -> dict[str, Finding]:
    return judged(folder, lines(*ROWS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def broken(found: dict[str, Finding]) -> list[str]:
    """Checks that raised or said nothing."""
    return [f"{each.check}: {each.reason}: {each.message}" for each in found.values() if each.reason in BROKEN]


BROKEN = ("check-error", "no-verdict")


def greener(folder: Path, found: dict[str, Finding]) -> list[str]:
    """What passes now and did not before."""
    before = intact(folder)
    return [
        f"{each.check} of {each.resource.name} ({each.part}): {before[key].outcome} -> {each.reason}"
        for key, each in found.items()
        if each.outcome == "pass" and key in before and before[key].outcome in UNDECIDED
    ]


def changed(number: int, row: Any) -> list[dict[str, Any]]:
    return [row if at_ == number else each for at_, each in enumerate(ROWS)]


def test_the_intact_estate_is_judged_whole(folder: Path) -> None:
    found = intact(folder)
    assert {"pass", "fail", "warn", "unknown"} <= {each.outcome for each in found.values()}
    assert broken(found) == []


@often(3)
@given(rows, st.data())
def test_a_value_of_another_type_turns_nothing_green(folder: Path, number: int, data: st.DataObject) -> None:
    row = ROWS[number]
    inside = [place for place in places(row) if place[0] in ("properties", "identity")]
    if not inside:
        return
    place = data.draw(st.sampled_from(inside), label="place")
    junk = data.draw(st.sampled_from(another_type(at(row, place))), label="junk")
    found = judged(folder, lines(*changed(number, put(row, place, junk))))
    assert broken(found) == []
    assert greener(folder, found) == []


@often(3)
@given(st.lists(st.tuples(rows, st.floats(0, 1), st.sampled_from(("take", *range(len(JUNK))))), min_size=1, max_size=9))
def test_many_damages_at_once_break_no_check(folder: Path, damages: list[tuple[int, float, Any]]) -> None:
    bodies = list(ROWS)
    for number, where, how in damages:
        inside = places(bodies[number])
        if not inside:
            continue
        place = inside[int(where * (len(inside) - 1))]
        row = bodies[number]
        bodies[number] = without(row, place) if how == "take" else put(row, place, JUNK[how])
    assert broken(judged(folder, lines(*bodies))) == []


@often(3)
@given(st.lists(damaged_bytes, min_size=1, max_size=4), st.booleans())
def test_damaged_bytes_are_refused_or_judged_but_break_nothing(
    folder: Path, damages: list[tuple[str, float, int]], zipped: bool
) -> None:
    content = lines(*ROWS)
    content = gzip.compress(content, 1, mtime=0) if zipped else content
    for how in damages:
        content = hurt(content, how)
    assert broken(judged(folder, content)) == []


@often(3)
@given(rows, st.floats(0, 1))
def test_a_destroyed_byte_turns_nothing_green(folder: Path, number: int, where: float) -> None:
    """A byte that is no text, in a value: the resource is there and cannot be read, which is no other estate.

    A byte that breaks the whole line takes the resource's name with it: the run is incomplete, and what a finding says
    of the resources that it names still holds (docs/fuzzing.md).
    """
    inside = [
        place for place in places(ROWS[number]["properties"]) if isinstance(at(ROWS[number]["properties"], place), str)
    ]
    if not inside:
        return
    place = ("properties", *inside[int(where * (len(inside) - 1))])
    destroyed = json.dumps(put(ROWS[number], place, "DESTROYED")).encode().replace(b"DESTROYED", b"DESTR\xffYED")
    bodies = [HEADER, *ROWS[:number], *ROWS[number + 1 :]]
    others = [json.dumps(row).encode() for row in bodies]
    found = judged(folder, b"\n".join([*others, destroyed]) + b"\n")
    assert broken(found) == []
    assert greener(folder, found) == []


@often(20)
@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise(folder: Path, content: bytes) -> None:
    assert judged(folder, content) == {}


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"a":' * 50_000, b"\n" * 1000, b"\x1f\x8b", b"[]", b'[{"id": "/' + b"/" * 99_999 + b'"}]'],
    ids=["nested lists", "nested objects", "blank", "start of a zip", "nothing", "slashes"],
)
def test_no_monster_raises(folder: Path, content: bytes) -> None:
    assert judged(folder, content) == {}
