"""A running service of one's own, and one that tests share which change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.history.conftest import cluster as database
from tests.service.world import FIRST, SECOND, Serving, World, finding, night, serving

__all__ = ["database"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def service(world: World) -> Iterator[Serving]:
    """A service whose history holds nothing yet."""
    with serving(world) as running:
        yield running


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A service over three nights, for tests that only read."""
    world = World(tmp_path_factory.mktemp("shown"))
    world.remember(night(1, *FIRST))
    world.remember(night(2, *SECOND))
    many = [finding("aks-subnet-size", f"aks-{number:03}", "warn") for number in range(250)]
    world.remember(night(3, *SECOND, *many))
    with serving(world) as running:
        yield running
