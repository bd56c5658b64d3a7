"""The small tables of facts in `auditor/data`, read once: regions, containment between tags, reserved ranges."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from auditor.network.addresses import AddressSet
from auditor.values import region_key

_DATA = Path(__file__).resolve().parent.parent / "data"


@functools.cache
def _table(name: str) -> Any:
    return json.loads((_DATA / f"{name}.json").read_text(encoding="utf-8"))


@functools.cache
def _ranges(kind: str) -> AddressSet:
    return AddressSet.of(*_table("reserved_ranges")[kind])


def not_internet() -> AddressSet:
    """What the public Internet never reaches: private, shared, link-local, multicast and unassigned space."""
    return _ranges("not_internet")


def rfc1918() -> AddressSet:
    """10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16."""
    return _ranges("rfc1918")


def cluster_private_space() -> AddressSet:
    """What pods and services may use: RFC 1918, RFC 6598, unique local IPv6 addresses."""
    return _ranges("rfc1918") | _ranges("shared") | _ranges("ula")


def aks_reserved() -> AddressSet:
    """The blocks that AKS forbids for service, pod and virtual network ranges."""
    return _ranges("aks_reserved")


def platform_address() -> AddressSet:
    """168.63.129.16 and its IPv6 twin: Azure's DNS, DHCP and health probes; the tag `AzureLoadBalancer`."""
    return _ranges("platform")


def _region(cloud: str, location: str) -> tuple[str | None, str | None, str | None] | None:
    row = _table("regions")["clouds"].get(cloud, {}).get(region_key(location))
    return (row[0], row[1], row[2]) if row else None


def tag_suffix(cloud: str, location: str, service: str = "") -> str | None:
    """What follows the dot in a service's regional tag: `eastus2` gives `EastUS2`. None: not known here.

    `AzureCloud` alone spells a dozen regions otherwise: `francecentral` gives `centralfrance`.
    """
    row = _region(cloud, location)
    if row is None:
        return None
    return row[1] if service.casefold() == "azurecloud" else row[0]


def paired_region(cloud: str, location: str) -> str | None:
    """The region that Microsoft pairs with this one (not always mutual); None: it has none, or is not known here."""
    row = _region(cloud, location)
    return row[2] if row else None


def regions(cloud: str) -> tuple[str, ...]:
    """The locations of a cloud as this program knows them."""
    return tuple(_table("regions")["clouds"].get(cloud, {}))


@functools.cache
def location_of_suffix(cloud: str, suffix: str) -> str | None:
    """The location that a tag suffix names, whichever of its two spellings: `EastUS2`, `centralfrance`."""
    wanted = suffix.casefold()
    for location, row in _table("regions")["clouds"].get(cloud, {}).items():
        if wanted in {(spelled or "").casefold() for spelled in row[:2]} | {location}:
            return str(location)
    return None


@functools.cache
def containment(cloud: str) -> dict[str, dict[str, Any]]:
    """What is known without data of the services that matter here, by service name in lower case; see the table."""
    return {name.casefold(): row for name, row in _table("tag_containment")["clouds"].get(cloud, {}).items()}
