"""Reading snapshots: every way in which a file can be broken has a line number and no traceback."""

import gzip
import io
import json
from pathlib import Path

import pytest
import zstandard

from auditor.errors import NothingRead, UsageProblem
from auditor.inventory import BrokenLine, Builder, Header, Row, header_line, open_snapshot, read_rows
from auditor.inventory.rows import parse_header
from auditor.values import Gap
from tests.estate import NOW, SUB, arm

NSG = {"id": arm("net", "Microsoft.Network/networkSecurityGroups", "fence"), "type": "x/y", "properties": {}}
LINE = json.dumps(NSG).encode()


def rows_of(content: bytes) -> list[Row | BrokenLine]:
    return list(read_rows(io.BytesIO(content), "f"))


def test_json_lines_an_array_and_resource_graphs_envelope_are_one() -> None:
    array = json.dumps([NSG, NSG]).encode()
    envelope = json.dumps({"totalRecords": 2, "data": [NSG, NSG]}).encode()
    pretty = json.dumps({"data": [NSG, NSG]}, indent=2).encode()
    for content in (LINE + b"\n\n" + LINE + b"\n", array, envelope, pretty, b"\xef\xbb\xbf" + array):
        found = rows_of(content)
        assert [type(row) for row in found] == [Row, Row], content[:40]
        assert all(isinstance(row, Row) and json.loads(row.raw) == NSG for row in found)


def test_numbers_are_line_numbers() -> None:
    found = rows_of(LINE + b"\n\n\n" + b"oops\n" + LINE)
    assert [row.number for row in found] == [1, 4, 5]
    assert str(found[1]) == "f, line 4: not a JSON object (it starts with 'oops')"


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_compression_is_told_by_content(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "estate.jsonl"
    path.write_bytes(pack(LINE + b"\n" + LINE))  # type: ignore[operator]
    with open_snapshot(path) as stream:
        assert len(list(read_rows(stream, "f"))) == 2


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_compressed_data_cut_off_end_in_a_broken_line(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "estate.jsonl.gz"
    body = b"\n".join(json.dumps({**NSG, "name": str(n)}).encode() for n in range(5000))
    whole = pack(body)  # type: ignore[operator]
    path.write_bytes(whole[: len(whole) // 2])
    with open_snapshot(path) as stream:
        found = list(read_rows(stream, "f"))
    builder = Builder()
    builder.add_all(found, "f")
    assert builder.broken, "a file that is cut off must not pass for a whole one"


def test_an_array_cut_off_is_one_broken_line() -> None:
    [broken] = rows_of(b"[" + LINE + b",\n" + LINE[:20])
    assert isinstance(broken, BrokenLine)
    assert "cut off" in broken.problem


def test_a_missing_file_is_nothing_read(tmp_path: Path) -> None:
    with pytest.raises(NothingRead, match="cannot be read"):
        open_snapshot(tmp_path / "none.jsonl")


BROKEN = {
    "cut off": LINE[:-4],
    "no id": b'{"type": "microsoft.network/loadbalancers"}',
    "id of another type": b'{"id": 7, "type": "microsoft.network/loadbalancers"}',
    "id that is none": b'{"id": "loadbalancer", "type": "microsoft.network/loadbalancers"}',
    "type of another type": b'{"id": "/subscriptions/x", "type": []}',
    "invalid escape": b'{"id": "/subscriptions/\\ud800\\q"}',
    "invalid UTF-8": b'{"id": "/subscriptions/\xff\xfe", "type": "x"}',
    "deeply nested": b'{"id": "/s/x", "a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "broken membership": b'{"type": "auditor/membership", "memberId": 7}',
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_named_and_never_raises(line: bytes) -> None:
    builder = Builder()
    builder.add_all(rows_of(LINE + b"\n" + line), "f")
    [broken] = builder.broken
    assert broken.number == 2


def test_a_header_comes_back_as_it_was_written() -> None:
    gaps = (Gap(f"/subscriptions/{SUB}", "*", "403", "grant Reader"), Gap("/", "auditor/membership", "no", "", False))
    header = Header(NOW, "china", "tenant", (f"/subscriptions/{SUB}",), gaps)
    assert parse_header(header_line(header), "f") == header


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (b'{"type": "auditor/snapshot", "version": 2}', "version 2"),
        (b'{"type": "auditor/snapshot", "version": "1"}', "header is broken"),
        (b'{"type": "auditor/snapshot", "version": 1, "takenAt": "yesterday"}', "header is broken"),
        (b'{"type": "auditor/snapshot", "version": 1, "takenAt": "2026-11-24T02:00:00"}', "time zone"),
        (b'{"type": "auditor/snapshot", "version": 1, "gaps": [{"scope": "/"}]}', "header is broken"),
    ],
)
def test_a_header_that_cannot_be_read_is_a_usage_problem(line: bytes, match: str) -> None:
    with pytest.raises(UsageProblem, match=match):
        parse_header(line, "f")
