"""What the tests of sending on share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditor.service.store import open_store
from tests.notify.receiving import Receiver

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_store(f"sqlite:///{tmp_path / 'history.sqlite'}", {})
    yield made
    made.dispose()
