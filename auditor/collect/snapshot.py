"""Writes a collection as a snapshot file: whole or not at all, readable by its owner only."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from auditor.collect.request import Collected
from auditor.errors import UsageProblem
from auditor.inventory.rows import Header, header_line


def snapshot_header(collected: Collected) -> Header:
    """The header that a snapshot of this collection begins with. A scope that was not read is not among its scopes."""
    return Header(
        taken_at=collected.taken_at,
        cloud=collected.cloud,
        tenant_id=collected.tenant_id,
        scopes=tuple(scope.id for scope in collected.scopes),
        gaps=collected.gaps,
    )


def write_snapshot(collected: Collected, path: Path) -> None:
    """JSON Lines, compressed as the name says (`.gz`, `.zst`). UsageProblem if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as problem:
        raise UsageProblem(f"{path}: cannot be written ({problem.strerror})", hint="choose another -o") from None
    try:
        os.fchmod(handle, 0o600)
        with os.fdopen(handle, "wb") as plain, _compressed(plain, path) as out:
            for line in _lines(collected):
                out.write(line + b"\n")
        os.replace(name, path)
    except OSError as problem:
        raise UsageProblem(f"{path}: cannot be written ({problem.strerror})", hint="choose another -o") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _lines(collected: Collected) -> Iterator[bytes]:
    yield header_line(snapshot_header(collected))
    for row in collected.rows:
        yield msgspec.json.encode(row)


@contextlib.contextmanager
def _compressed(plain: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    match path.suffix:
        case ".gz":
            # No name and time inside: the same collection gives the same bytes.
            with gzip.GzipFile(filename="", fileobj=plain, mode="wb", mtime=0) as out:
                yield out  # type: ignore[misc]
        case ".zst":
            try:
                import zstandard
            except ImportError:
                raise UsageProblem(
                    f"{path}: zstandard is needed to write it", hint="pip install 'auditor[zstd]', or use .gz"
                ) from None
            with zstandard.ZstdCompressor().stream_writer(plain, closefd=False) as out:
                yield out
        case _:
            yield plain
