"""A replica for each module, its estate and faults changed by the tests; collecting without waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.clouds import resolve_cloud
from auditor.collect import Clock, Collected, CollectRequest, collect
from auditor.replica import Estate, Replica
from auditor.replica import load as load_estate
from tests.wire.estate import Body, estate

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


class Waiting:
    """A clock that stands still until somebody sleeps on it; what was slept is remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now = 1000.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: NOW, monotonic=self.monotonic, sleep=self.sleep)


class Azure:
    """A running replica and the ways in which tests scan it."""

    def __init__(self, replica: Replica, folder: Path) -> None:
        self.replica, self._folder = replica, folder
        self.waiting = Waiting()
        self.changed = False

    def holds(self, body: Body) -> None:
        """Serve another estate."""
        self.changed = True
        self.replica.load(_loaded(body, self._folder))

    def plain(self) -> Collected:
        """What a collection without faults reads."""
        self.replica.set_faults(None)
        found = self.collect()
        self.replica.forget_requests()
        return found

    def request(self, environment: dict[str, str] | None = None, cloud: str = "china", **more: Any) -> CollectRequest:
        """A request for the estate's top management group, unless other scopes are named."""
        env = {**self.replica.environment(), **(environment or {})}
        if not {"subscriptions", "management_groups"} & set(more):
            more["management_groups"] = ("platform",)
        return CollectRequest(cloud=resolve_cloud(cloud, env), environment=env, **more)

    def collect(self, environment: dict[str, str] | None = None, **more: Any) -> Collected:
        """Collect with a clock that does not wait."""
        return collect(self.request(environment, **more), clock=self.waiting.clock)


def _loaded(body: Body, folder: Path) -> Estate:
    path = folder / "estate.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    return load_estate(path)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Replica, Path]]:
    folder = tmp_path_factory.mktemp("estate")
    with Replica(_loaded(estate(), folder), quota=False) as replica:
        yield replica, folder


@pytest.fixture
def azure(running: tuple[Replica, Path]) -> Iterator[Azure]:
    """The module's replica with the plain estate, no faults and an empty request log."""
    replica, folder = running
    replica.forget_requests()
    served = Azure(replica, folder)
    yield served
    replica.set_faults(None)
    if served.changed:
        replica.load(_loaded(estate(), folder))


@pytest.fixture
def own_replica(tmp_path: Path) -> Iterator[Callable[..., Azure]]:
    """A replica of one's own, for other page sizes or quotas."""
    started: list[Replica] = []

    def start(body: Body | None = None, **options: Any) -> Azure:
        replica = Replica(_loaded(body or estate(), tmp_path), **{"quota": False, **options})
        replica.start()
        started.append(replica)
        return Azure(replica, tmp_path)

    yield start
    for replica in started:
        replica.stop()
