"""Histories to test with: SQLite files, and a PostgreSQL cluster of the tests' own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.history.postgresql import Cluster, missing


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server on a socket in a temporary directory; where there is none, its tests skip, but not in CI."""
    lacking = missing()
    if lacking is not None:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the tests on PostgreSQL: {lacking}")
        pytest.skip(f"no tests on PostgreSQL: {lacking}")
    # A socket's path is short (107 bytes), so the directory is not one of pytest's.
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        running = Cluster.start(directory)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty history, once on each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'history.sqlite'}"
    found: Cluster = request.getfixturevalue("cluster")
    return found.new_database()
