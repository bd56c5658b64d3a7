"""`report.json`: written so that equal findings give equal bytes, and read back into the same records."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from auditor.errors import UsageProblem
from auditor.findings import SCHEMA_VERSION, Report, sort_key
from auditor.report.legible import encodable

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Report)


class _Version(msgspec.Struct, rename="camel"):
    schema_version: int


def render_json(report: Report) -> bytes:
    """The report in schema version 1: findings sorted, keys of open objects sorted, two spaces, a final newline."""
    ordered = msgspec.structs.replace(report, findings=tuple(sorted(report.findings, key=sort_key)))
    try:
        packed = _ENCODER.encode(ordered)
    except UnicodeEncodeError:
        # A lone surrogate somewhere; UTF-8 has no bytes for it. Rare, so the slow way only then.
        packed = _ENCODER.encode(encodable(msgspec.to_builtins(ordered)))
    return msgspec.json.format(packed, indent=2) + b"\n"


def read_report(path: Path) -> Report:
    """Read a `report.json`. Raises UsageProblem that says what is wrong with the file and where."""
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        raise UsageProblem(f"there is no report file {path}") from None
    except IsADirectoryError:
        raise UsageProblem(f"{path} is a folder", hint=f"name the file in it: {path / 'report.json'}") from None
    except OSError as problem:
        raise UsageProblem(f"{path} cannot be read: {problem.strerror}") from None
    return parse_report(packed, str(path))


def parse_report(packed: bytes, name: str) -> Report:
    """Decode a report's bytes; `name` stands in error messages."""
    packed = packed.removeprefix(b"\xef\xbb\xbf")
    try:
        version = msgspec.json.decode(packed, type=_Version).schema_version
    except msgspec.ValidationError:
        raise UsageProblem(
            f"{name} is not a report of auditor: it has no number `schemaVersion`",
            hint="a snapshot is scanned with `auditor scan --snapshot`",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UsageProblem(
            f"{name} is not JSON{_where(packed)}", hint="the file may be cut off, or of another format"
        ) from None
    if version != SCHEMA_VERSION:
        raise UsageProblem(
            f"{name} is a report of schema version {version}; this auditor reads version {SCHEMA_VERSION}",
            hint="scan again, or read it with the auditor that wrote it",
        )
    try:
        return _DECODER.decode(packed)
    except (msgspec.ValidationError, UnicodeDecodeError, RecursionError) as problem:
        raise UsageProblem(f"{name} is not a whole report: {problem}") from None


def _where(packed: bytes) -> str:
    if not packed.strip():
        return ": it is empty"
    try:
        json.loads(packed)
    except json.JSONDecodeError as problem:
        return f" (line {problem.lineno}, column {problem.colno}: {problem.msg})"
    except (UnicodeDecodeError, RecursionError):
        return ": its bytes are not UTF-8 text"
    return ""
