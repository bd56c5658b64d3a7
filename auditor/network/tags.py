"""Service tags: their prefixes from Azure's data, and what can be said of two tags by name alone.

Names compare without case. A tag that the data at hand does not hold is unknown, not empty and not everything.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.network import facts
from auditor.network.addresses import AddressSet, Family

FAMILIES: tuple[Family, ...] = (4, 6)


@dataclass(frozen=True, slots=True)
class Tag:
    """A service tag by name, as one side of a question: `Tag("AzureContainerRegistry.EastUS2")`."""

    name: str = field(compare=False)
    key: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.name.strip().casefold())

    def __str__(self) -> str:
        return self.name


class TagData:
    """The service tags of one cloud as Azure publishes them. Compared by identity: one object a scan.

    `source` says where they come from (`serviceTags list`, a snapshot, a file), `date` the day the data were made or
    read where known; both belong into the evidence.
    """

    __slots__ = ("_names", "_sets", "_texts", "broken", "change_number", "cloud", "date", "source")

    def __init__(
        self,
        texts: Mapping[str, tuple[str, ...]],
        *,
        cloud: str,
        change_number: str = "",
        source: str = "",
        date: str | None = None,
        broken: tuple[str, ...] = (),
    ) -> None:
        self._names = {name.casefold(): name for name in texts}
        self._texts = {name.casefold(): prefixes for name, prefixes in texts.items()}
        self._sets: dict[str, AddressSet | None] = {}
        self.cloud, self.change_number, self.source, self.date = cloud, change_number, source, date
        self.broken = broken

    @classmethod
    def from_values(
        cls,
        values: Iterable[Any],
        *,
        cloud: str,
        change_number: str | int = "",
        source: str = "",
        date: str | None = None,
    ) -> TagData:
        """From `values` of the serviceTags API or of Microsoft's weekly file; `cloud` is public, china or usgov.

        A row without a name or a list of prefixes is not a tag; its name is kept in `broken`, and it stays unknown.
        """
        texts: dict[str, tuple[str, ...]] = {}
        broken: list[str] = []
        for value in values:
            name = value.get("name") if isinstance(value, Mapping) else None
            properties = value.get("properties") if isinstance(value, Mapping) else None
            prefixes = properties.get("addressPrefixes") if isinstance(properties, Mapping) else None
            if not isinstance(name, str) or not name.strip():
                broken.append(repr(name))
            elif not isinstance(prefixes, (list, tuple)) or not all(isinstance(p, str) for p in prefixes):
                broken.append(name)
            else:
                texts[name.strip()] = tuple(prefixes)
        return cls(
            texts,
            cloud=cloud,
            change_number=str(change_number),
            source=source,
            date=date,
            broken=tuple(broken),
        )

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, name: str) -> bool:
        return name.strip().casefold() in self._names

    def name(self, name: str) -> str | None:
        """The tag's name as Azure spells it, None if this cloud has no such tag."""
        return self._names.get(name.strip().casefold())

    def prefixes(self, name: str) -> AddressSet | None:
        """The tag's addresses; None if it is not in the data, or one of its prefixes cannot be read."""
        key = name.strip().casefold()
        if key not in self._texts:
            return None
        if key not in self._sets:
            try:
                self._sets[key] = AddressSet.of(*self._texts[key])
            except ValueError:
                self._sets[key] = None
        return self._sets[key]

    def texts(self, name: str) -> tuple[str, ...]:
        """The tag's prefixes as published, not joined: a route to the tag has their lengths. Empty if unknown."""
        return self._texts.get(name.strip().casefold(), ())

    def regional(self, service: str, location: str) -> str | None:
        """The name of a service's tag for a region; None if this cloud publishes none: only the global one exists.

        By the name's suffix, never by the tag's `region` property, which is an irregular code for a dozen regions.
        """
        suffix = facts.tag_suffix(self.cloud, location, service) or location.replace(" ", "")
        return self.name(f"{service}.{suffix}")

    def regional_tags(self, service: str) -> tuple[str, ...]:
        """The names of all regional tags of a service, by suffix."""
        start = service.casefold() + "."
        return tuple(
            name
            for key, name in sorted(self._names.items())
            if key.startswith(start) and facts.location_of_suffix(self.cloud, key[len(start) :]) is not None
        )

    def describe(self) -> str:
        """Where the data come from and how old they are, for evidence."""
        parts = [self.source or "service tags", f"change number {self.change_number}" if self.change_number else ""]
        return ", ".join(part for part in [*parts, self.date or ""] if part)


class Relation(enum.StrEnum):
    """What is known of two sets of addresses without their prefixes."""

    COVERS = "covers"  # the first holds all of the second
    DISJOINT = "disjoint"
    UNKNOWN = "unknown"


def regional_name(cloud: str, service: str, location: str) -> str | None:
    """The likely name of a regional tag where no data are at hand; None if the region is not known here."""
    suffix = facts.tag_suffix(cloud, location, service)
    return f"{service}.{suffix}" if suffix else None


def split(cloud: str, name: str) -> tuple[str, str | None]:
    """A tag's service (lower case) and location; `AzureFrontDoor.FirstParty` is a service of its own."""
    service, dot, suffix = name.strip().casefold().rpartition(".")
    location = facts.location_of_suffix(cloud, suffix) if dot else None
    return (service, location) if location else (name.strip().casefold(), None)


def inside_internet(cloud: str, name: str) -> bool:
    """Whether a tag is known to hold public addresses only, as all that Microsoft publishes do (requirements 2.6)."""
    service, _ = split(cloud, name)
    return service == "azurecloud" or service in facts.containment(cloud)


def relation(cloud: str, outer: str, inner: str, family: Family) -> Relation:
    """What a tag `outer` is known to be to a tag `inner` in one family, by name and the table of containments alone.

    Disjointness is assumed of nothing but a service's tags of two different regions.
    """
    if outer.strip().casefold() == inner.strip().casefold():
        return Relation.COVERS
    (outer_service, outer_region), (inner_service, inner_region) = split(cloud, outer), split(cloud, inner)
    known = facts.containment(cloud).get(inner_service)
    if outer_service == inner_service:
        return _same_service(outer_service, outer_region, inner_region, known is not None)
    if outer_service != "azurecloud" or known is None:
        return Relation.UNKNOWN
    if outer_region is None:
        inside = family in known["in_azure_cloud"] or (inner_region and known["regional_in_azure_cloud"])
        return Relation.COVERS if inside else Relation.UNKNOWN
    if inner_region == outer_region and known["regional_in_azure_cloud"]:
        return Relation.COVERS
    return Relation.UNKNOWN


def _same_service(service: str, outer: str | None, inner: str | None, known: bool) -> Relation:
    if not (known or service == "azurecloud"):
        return Relation.UNKNOWN
    if outer is None or outer == inner:
        return Relation.COVERS
    if inner is not None and known and service == "azurecontainerregistry":
        return Relation.DISJOINT  # only for the registry is that documented
    return Relation.UNKNOWN


@functools.lru_cache(maxsize=4096)
def looks_like_tag(text: str) -> bool:
    """Whether a text has the form of a tag's name: letters first, then letters, digits, dots, underscores, hyphens."""
    stripped = text.strip()
    return bool(stripped) and stripped[0].isalpha() and all(c.isalnum() or c in "._-" for c in stripped)
