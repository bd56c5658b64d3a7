"""Small values that every layer shares: ids, outcomes, severities, and "not read" as a type of its own."""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")


class Outcome(enum.StrEnum):
    """What a check says of a resource (OCSF's status names: Pass, Warning, Fail, Unknown, Other)."""

    FAIL = "fail"
    UNKNOWN = "unknown"
    WARN = "warn"
    PASS = "pass"  # noqa: S105
    NOT_APPLICABLE = "not-applicable"

    @property
    def rank(self) -> int:
        """0 is the worst; where several verdicts fold into one finding, the worst stands."""
        return _OUTCOME_ORDER[self]

    @property
    def deviating(self) -> bool:
        """Whether drift counts it as a deviation: fail or warn."""
        return self in (Outcome.FAIL, Outcome.WARN)


_OUTCOME_ORDER = {outcome: rank for rank, outcome in enumerate(Outcome)}


class Severity(enum.StrEnum):
    """How much a failure of a check matters; a property of the check, not of the finding."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the most severe."""
        return _SEVERITY_ORDER[self]


_SEVERITY_ORDER = {severity: rank for rank, severity in enumerate(Severity)}


@functools.lru_cache(maxsize=262_144)
def fold(resource_id: str) -> str:
    """An ARM id, type, tag or region in the one form in which they compare: casefolded, without trailing slashes.

    `/` (the root scope) stays as it is.
    """
    return resource_id.strip().casefold().rstrip("/") or ("/" if "/" in resource_id else "")


_CONTROL = re.compile(r"[\x00-\x1f]")
_SUBSCRIPTIONS = "/subscriptions/"


@dataclass(frozen=True, slots=True)
class ResourceId:
    """An ARM id, parsed once: equality ignores case and a trailing slash, printing keeps the original.

    Examples: `/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V/subnets/N`,
    `/subscriptions/S`, `/providers/Microsoft.Management/managementGroups/M`, `/`.
    """

    text: str = field(compare=False)
    key: str

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """Raises ValueError for what does not start with a slash or holds an empty segment."""
        return _parsed(text)

    def __str__(self) -> str:
        return self.text

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts between slashes, spelled as given."""
        return tuple(part for part in self.text.split("/") if part)

    @property
    def subscription_id(self) -> str | None:
        """The subscription's GUID, lower case; None for tenant-level ids."""
        if not self.key.startswith(_SUBSCRIPTIONS):
            return None
        return self.key[len(_SUBSCRIPTIONS) :].split("/", 1)[0]

    @property
    def resource_group(self) -> str | None:
        """The resource group's name as spelled; None above resource groups."""
        parts = self.text.split("/", 5)
        return parts[4] if len(parts) > 4 and parts[3].casefold() == "resourcegroups" else None

    @property
    def resource_group_id(self) -> ResourceId | None:
        """`/subscriptions/S/resourceGroups/G` of what lies in one."""
        parts = self.segments
        if len(parts) >= 4 and parts[2].casefold() == "resourcegroups":
            return ResourceId.parse("/" + "/".join(parts[:4]))
        return None

    @property
    def name(self) -> str:
        """The last segment."""
        return self.text.rpartition("/")[2] or "/"

    @property
    def type(self) -> str:
        """The resource type, lower case: that of the last `providers` segment; containers have types of their own."""
        parts = [part.casefold() for part in self.segments]
        if "providers" in parts:
            at = len(parts) - 1 - parts[::-1].index("providers")
            tail = parts[at + 1 :]
            return "/".join([tail[0], *tail[1::2]]) if tail else ""
        if len(parts) >= 4:
            return "microsoft.resources/subscriptions/resourcegroups"
        return "microsoft.resources/subscriptions" if parts else ""

    @property
    def parent(self) -> ResourceId | None:
        """The resource that this one is a child of (a subnet's virtual network), else None."""
        parts = self.segments
        folded = [part.casefold() for part in parts]
        if "providers" not in folded:
            return None
        at = len(parts) - 1 - folded[::-1].index("providers")
        if len(parts) - at >= 6:
            return ResourceId.parse("/" + "/".join(parts[:-2]))
        return None

    def covers(self, other: ResourceId) -> bool:
        """Whether this scope is `other` or an ancestor of it by its path, segment by segment.

        Management groups are ancestors of subscriptions by the tenant's hierarchy, not by path: see `auditor.access`.
        """
        return self.key == "/" or other.key == self.key or other.key.startswith(self.key + "/")


@functools.lru_cache(maxsize=65_536)
def _parsed(text: str) -> ResourceId:
    """Remembered, since a scan meets the same ids again and again: parsing them was half the time of a large one."""
    stripped = text.strip()
    key = fold(stripped)
    if not key.startswith("/") or "//" in key or _CONTROL.search(key):
        raise ValueError(f"not an ARM id: {text!r}")
    return ResourceId(stripped.rstrip("/") or "/", key)


def region_key(location: str) -> str:
    """A location in the form in which regions compare: `China East 2` and `chinaeast2` are one."""
    return location.replace(" ", "").casefold()


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that decides could not be read. Never None, False or an empty list: no missing value turns green.

    `what` names the thing (an id, a table, a call), `why` says what happened, `hint` how to make it readable;
    `reason` is the stable slug that an `unknown` verdict built on it carries by default.
    """

    what: str
    why: str
    hint: str = ""
    reason: str = "unread"


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A collection that knows whether its whole scope was read: `missing` is None only then."""

    items: tuple[T, ...]
    missing: Unread | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def whole(self) -> bool:
        """True if absence from `items` proves absence in Azure."""
        return self.missing is None


@dataclass(frozen=True, slots=True)
class Gap:
    """Something asked for that could not be read; `required` gaps make the run incomplete."""

    scope: str
    what: str
    reason: str
    hint: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Evidence:
    """One property that a verdict rests on: `path` is ARM's property path as Microsoft spells it."""

    resource: str
    path: str
    value: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of how a verdict was reached. `text` is a constant template over `facts`; `kind` a stable slug."""

    kind: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a network or access finding permits, as canonical items: two effects are one if their items are equal.

    Items are sorted strings such as `Tcp 10.1.0.0/24 -> 20.0.0.0/8:443` or `Microsoft.Network/…/join/action on /sub…`.
    """

    items: tuple[str, ...]


class Progress(Protocol):
    """Told how far long work is: `total` is None while it is not known. May be called from several threads."""

    def __call__(self, stage: str, done: int, total: int | None) -> None: ...


def silent(stage: str, done: int, total: int | None) -> None:
    """The Progress that tells nobody."""
