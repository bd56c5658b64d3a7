"""What a collection is asked for, and what it hands back. Values only: nothing here speaks to Azure."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from auditor import findings
from auditor.clouds import CloudProfile
from auditor.errors import AuditorError
from auditor.values import Gap, fold


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time and the waiting, passed in so that tests wait for nothing.

    `now` is wall time in UTC, `monotonic` and `sleep` count seconds.
    """

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one answer is waited for, in seconds."""

    silence_s: float = 60.0
    """Between two bytes: after that the request counts as not answered, and is repeated."""
    connect_s: float = 10.0

    @property
    def body_s(self) -> float:
        """For a whole body from its first byte on. A page of Resource Graph has 16 MB at most."""
        return 2 * self.silence_s


class Stopped(AuditorError):
    """Somebody asked the collection to stop (SIGTERM); what was read so far is dropped."""

    exit_status = 3


@dataclass(frozen=True, slots=True)
class CollectRequest:
    """One collection's scopes, cloud and limits.

    Without subscriptions and management groups the scope is everything that the identity may read. Ids are given
    bare (`GUID`, `contoso`) or as ARM ids; both are understood.
    """

    cloud: CloudProfile
    subscriptions: tuple[str, ...] = ()
    management_groups: tuple[str, ...] = ()
    tenant: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """Where credentials come from (`AZURE_*`), as azure-identity names them."""
    max_rps: float | None = None
    """At most that many requests a second, of all kinds together."""
    deadline_s: float | None = None
    """Seconds after which nothing is waited for any more; what is missing then is a gap."""
    patience: Patience = Patience()
    threads: int = 6
    principals: Mapping[str, str] = field(default_factory=dict)
    """Application id to object id, from the configuration; spares Microsoft Graph."""
    registries: tuple[str, ...] = ()
    """ARM ids of registries that the configuration names besides those of the workspaces."""
    deployers: tuple[str, ...] = ()
    """Object ids of people or pipelines whose rights a check asks for."""

    @property
    def subscription_ids(self) -> tuple[str, ...]:
        """The bare GUIDs asked for, lower case, each once, sorted."""
        return tuple(sorted({fold(each).rsplit("/", 1)[-1] for each in self.subscriptions}))

    @property
    def management_group_names(self) -> tuple[str, ...]:
        """The management groups' names asked for, each once, sorted without case."""
        bare = {
            fold(each).rsplit("/", 1)[-1]: each.strip().rstrip("/").rsplit("/", 1)[-1]
            for each in self.management_groups
        }
        return tuple(bare[key] for key in sorted(bare))


@dataclass(frozen=True, slots=True)
class ScopeState:
    """A requested scope's ARM id and whether it was read."""

    id: str
    read: bool


@dataclass(frozen=True, slots=True)
class RequestLog:
    """One answered (or failed) try: what it asked, the status (0 without an answer) and the rows it returned."""

    operation: str
    status: int
    rows: int | None


@dataclass(frozen=True, slots=True)
class Collected:
    """What was read, as rows in ARM's shape reduced to the reviewed allow-list, and what was not."""

    rows: list[dict[str, Any]]
    scopes: tuple[ScopeState, ...]
    gaps: tuple[Gap, ...]
    requests: findings.Requests
    taken_at: datetime
    cloud: str
    tenant_id: str | None
    log: tuple[RequestLog, ...] = ()
    """Resource Graph requests in the order in which they were answered, each with its table and rows."""
    notes: tuple[str, ...] = ()
    """How something was read where that was not the usual way (a table that this cloud lacks)."""
    waited_s: float = 0.0
    """Seconds that threads waited for a quota, summed."""

    @property
    def complete(self) -> bool:
        """Whether every requested scope was read and no required gap is left."""
        return all(scope.read for scope in self.scopes) and not any(gap.required for gap in self.gaps)
