"""Rows from a snapshot: JSON Lines, one JSON array, or Resource Graph's `{"data": […]}`; plain, `.gz` or `.zst`.

A broken line is an error that names its number. Nothing here interprets a resource.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from auditor.errors import NothingRead, UsageProblem
from auditor.values import Gap

HEADER_TYPE = "auditor/snapshot"
SNAPSHOT_VERSION = 1


class _HeaderGap(msgspec.Struct, frozen=True):
    scope: str
    what: str
    reason: str = ""
    hint: str = ""
    required: bool = True


class _Header(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    version: int = 0
    taken_at: str | None = None
    cloud: str | None = None
    tenant_id: str | None = None
    scopes: list[str] | None = None
    gaps: list[_HeaderGap] | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a snapshot. `scopes` None means: complete for the subscriptions that it mentions."""

    taken_at: datetime | None = None
    cloud: str | None = None
    tenant_id: str | None = None
    scopes: tuple[str, ...] | None = None
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One JSON object of a snapshot; `number` is its line (or its place in an array), from 1."""

    number: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that holds no ARM resource, and what is wrong with it."""

    source: str
    number: int
    problem: str

    def __str__(self) -> str:
        return f"{self.source}, line {self.number}: {self.problem}"


def open_snapshot(path: Path) -> BinaryIO:
    """The decompressed bytes of a snapshot file. Compression is told by content, not by name."""
    try:
        stream: BinaryIO = path.open("rb")
        start = stream.read(4)
        stream.seek(0)
    except OSError as problem:
        raise NothingRead(
            f"{path}: cannot be read ({problem.strerror})", hint="name a file that `auditor collect` wrote"
        ) from None
    if start[:2] == b"\x1f\x8b":
        stream.close()  # a GzipFile over a stream leaves it open, one over a path closes it
        return io.BufferedReader(gzip.GzipFile(path, mode="rb"))
    return decompressed(stream, start, str(path))


def decompressed(stream: BinaryIO, start: bytes, source: str) -> BinaryIO:
    """`stream` read through gzip or zstandard where its first bytes say so."""
    if start[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=stream, mode="rb"))
    if start == b"\x28\xb5\x2f\xfd":
        try:
            import zstandard
        except ImportError:
            raise UsageProblem(
                f"{source}: zstandard is needed to read it", hint="pip install 'auditor[zstd]'"
            ) from None
        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(stream))
    return stream


def read_rows(stream: BinaryIO, source: str) -> Iterator[Row | BrokenLine]:
    """All rows of one snapshot, header included; never raises for what a file holds.

    A file that is cut off in mid-compression gives the rows up to there and then a BrokenLine.
    """
    number = 0
    try:
        first = stream.readline()
        while first.strip() in (b"", b"\xef\xbb\xbf") and first:
            number += 1
            first = stream.readline()
        first = first.removeprefix(b"\xef\xbb\xbf")
        if first.lstrip()[:1] == b"[" or _is_envelope(first):
            yield from _whole(first + stream.read(), source)
            return
        number += 1
        if first.strip():
            yield _row(first, number, source)
        for line in stream:
            number += 1
            if line.strip():
                yield _row(line, number, source)
    except (OSError, EOFError, zlib.error) as problem:
        yield BrokenLine(source, number + 1, f"the file ends in mid-compression or cannot be read on ({problem})")
    except Exception as problem:
        if type(problem).__name__ != "ZstdError":
            raise
        yield BrokenLine(source, number + 1, f"the compressed data are damaged ({problem})")


def _is_envelope(first: bytes) -> bool:
    """Whether a file opens as Resource Graph's answer (or as one pretty-printed object) instead of as JSON Lines."""
    text = first.strip()
    if text == b"{":
        return True
    if not text.startswith(b"{"):
        return False
    try:
        start = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b'"data"' in text and b'"type"' not in text.split(b'"data"')[0]
    return "data" in start and "id" not in start and "type" not in start


def _whole(content: bytes, source: str) -> Iterator[Row | BrokenLine]:
    try:
        if content.lstrip()[:1] == b"[":
            items = msgspec.json.decode(content, type=list[msgspec.Raw])
        else:
            answer = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
            if "data" not in answer:
                yield Row(1, content)
                return
            items = msgspec.json.decode(answer["data"], type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        yield BrokenLine(source, content.count(b"\n") + 1, f"not valid JSON ({problem}); the file looks cut off")
        return
    for number, item in enumerate(items, 1):
        yield _row(bytes(item), number, source)


def _row(line: bytes, number: int, source: str) -> Row | BrokenLine:
    text = line.strip()
    if not text.startswith(b"{"):
        shown = text[:24].decode("utf-8", "replace")
        return BrokenLine(source, number, f"not a JSON object (it starts with {shown!r})")
    return Row(number, text)


def parse_header(raw: bytes, source: str) -> Header:
    """The header line; raises UsageProblem for one that this version cannot read."""
    try:
        parsed = msgspec.json.decode(raw, type=_Header)
        taken_at = datetime.fromisoformat(parsed.taken_at) if parsed.taken_at else None
    except (msgspec.DecodeError, ValueError, RecursionError) as problem:
        raise UsageProblem(f"{source}: the snapshot's header is broken ({problem})", hint="collect again") from None
    if parsed.version != SNAPSHOT_VERSION:
        raise UsageProblem(
            f"{source}: snapshot version {parsed.version}; this program reads version {SNAPSHOT_VERSION}",
            hint="use the program that wrote it, or collect again",
        )
    if taken_at is not None and taken_at.tzinfo is None:
        raise UsageProblem(f"{source}: takenAt lacks its time zone ({parsed.taken_at})", hint="collect again")
    return Header(
        taken_at,
        parsed.cloud,
        parsed.tenant_id,
        tuple(parsed.scopes) if parsed.scopes is not None else None,
        tuple(Gap(g.scope, g.what, g.reason, g.hint, g.required) for g in parsed.gaps or ()),
    )


def header_line(header: Header) -> bytes:
    """A header as the first line of a snapshot, without the line's end."""
    return msgspec.json.encode(
        {
            "type": HEADER_TYPE,
            "version": SNAPSHOT_VERSION,
            "takenAt": header.taken_at.isoformat() if header.taken_at else None,
            "cloud": header.cloud,
            "tenantId": header.tenant_id,
            "scopes": list(header.scopes) if header.scopes is not None else None,
            "gaps": [
                {"scope": g.scope, "what": g.what, "reason": g.reason, "hint": g.hint, "required": g.required}
                for g in header.gaps
            ],
        }
    )
