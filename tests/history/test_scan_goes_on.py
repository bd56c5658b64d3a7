"""Whatever is wrong with the history, a scan says so in a note, and its report is made."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from auditor.config import load_settings
from auditor.findings import Report
from auditor.history import open_history
from auditor.scan import scan
from tests import estate
from tests.history.postgresql import Cluster

CLUSTERS = 300
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def scanned(url: str, folder: Path) -> str:
    """What a scan's notes say about the history, once its report has been looked at."""
    path = folder / "estate.jsonl"
    listed, _ = estate.rows(*(estate.cluster(f"aks-{number}", private=False, nodes=None) for number in range(CLUSTERS)))
    path.write_text("\n".join(json.dumps(row) for row in listed))
    mine = load_settings({"snapshot": (str(path),), "history": url, "check": ("aks-private-api-server",)}, {}, folder)
    report: Report = scan(mine, environment={}, clock=lambda: NOW).report
    assert [str(finding.outcome) for finding in report.findings] == ["fail"] * CLUSTERS
    assert report.run.complete
    return " ".join(note.text for note in report.run.notes if note.kind == "history")


@contextmanager
def each_connection(pragma: str) -> Iterator[None]:
    """Every connection to a database begins with this."""

    def begins(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA {pragma}")

    sa.event.listen(sa.pool.Pool, "connect", begins)
    try:
        yield
    finally:
        sa.event.remove(sa.pool.Pool, "connect", begins)


@contextmanager
def damaged(file: Path) -> Iterator[None]:
    file.write_bytes(b"hello " * 1000)
    yield


@contextmanager
def a_folder(file: Path) -> Iterator[None]:
    file.mkdir()
    yield


@contextmanager
def full(file: Path) -> Iterator[None]:
    open_history(f"sqlite:///{file}").close()
    with each_connection("max_page_count = 1"):  # the file cannot grow
        yield


@contextmanager
def locked(file: Path) -> Iterator[None]:
    open_history(f"sqlite:///{file}").close()
    with closing(sqlite3.connect(file, isolation_level=None)) as other, each_connection("busy_timeout = 1"):
        other.execute("BEGIN IMMEDIATE")
        yield


TROUBLE: dict[str, tuple[Callable[[Path], AbstractContextManager[None]], str]] = {
    "damaged": (damaged, "not an SQLite database"),
    "a folder in its place": (a_folder, "cannot be opened"),
    "disk full": (full, "no space left"),
    "locked": (locked, "another scan is writing to it"),
}


@pytest.mark.parametrize(("trouble", "words"), TROUBLE.values(), ids=TROUBLE)
def test_a_file_that_takes_nothing(
    tmp_path: Path, trouble: Callable[[Path], AbstractContextManager[None]], words: str
) -> None:
    file = tmp_path / "history.sqlite"
    with trouble(file):
        said = scanned(f"sqlite:///{file}", tmp_path)
    assert "this run was not remembered" in said
    assert words in said


def test_a_history_of_a_newer_version(url: str, tmp_path: Path) -> None:
    with open_history(url) as history, history._engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert "newer than this version" in scanned(url, tmp_path)


@pytest.mark.postgresql
def test_a_server_that_is_not_there(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.new_database().replace(str(cluster.directory), str(tmp_path))
    assert "this run was not remembered" in scanned(url, tmp_path)


def test_two_scans_at_once_over_the_same_scopes(url: str, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor() as threads:
        assert list(threads.map(lambda folder: scanned(url, folder), folders)) == ["", ""]
    with open_history(url) as history:
        one, other = history.runs()
        assert one.scopes == other.scopes
        assert [len(history.report(run.id).findings) for run in (one, other)] == [CLUSTERS] * 2
