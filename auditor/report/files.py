"""Writing reports: whole or not at all, folders 0700, files 0600, and known to be possible before a scan starts."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from auditor.errors import UsageProblem


def make_writable(folder: Path, names: tuple[str, ...]) -> None:
    """Make the folder and prove that files of these names can be put there. Raises UsageProblem if not."""
    try:
        _make_private(folder)
    except (FileExistsError, NotADirectoryError):
        raise UsageProblem(f"the output {folder} is a file, or lies below one; a folder is needed") from None
    except OSError as problem:
        raise UsageProblem(f"the output folder {folder} cannot be made: {problem.strerror}") from None
    for name in names:
        if (folder / name).is_dir():
            raise UsageProblem(f"{folder / name} is a folder, so no report of that name can be written")
    try:
        handle, probe = tempfile.mkstemp(prefix=".auditor-", suffix=".tmp", dir=folder)
        os.close(handle)
        os.unlink(probe)
    except OSError as problem:
        raise UsageProblem(
            f"nothing can be written into {folder}: {problem.strerror}", hint="name another folder with -o"
        ) from None


def _make_private(folder: Path) -> None:
    if not folder.parent.exists():
        _make_private(folder.parent)  # `mkdir(parents=True)` would give the parents the umask's mode
    folder.mkdir(mode=0o700, exist_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Put the content at `path` as one act: a reader, or a crash, sees the old file or the whole new one."""
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:  # mkstemp makes 0600 whatever the umask is
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as problem:
        raise UsageProblem(f"{path} cannot be written: {problem.strerror}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def to_stdout(content: bytes) -> None:
    """The one report of `-o -`, as bytes, whatever the terminal's encoding is."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # a folder has no handle to sync elsewhere
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
