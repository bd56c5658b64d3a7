"""Service tag data of the scanned cloud, from the row that the inventory holds, or none."""

from __future__ import annotations

import msgspec

from auditor.inventory import Inventory
from auditor.inventory.records import ServiceTags
from auditor.network import TagData, regional_name

FILE_TAGS = "from-file"


def tag_data(inventory: Inventory) -> TagData | None:
    """Microsoft's published file where one was given, else what Azure answered, else None."""

    def compute() -> TagData | None:
        rows = [row for row in inventory.every(ServiceTags) if row.body.values]
        if not rows:
            return None
        row = next((row for row in rows if row.name == FILE_TAGS), rows[0])
        source = "service tag file" if row.name == FILE_TAGS else "serviceTags list"
        return TagData.from_values(
            msgspec.to_builtins(row.body.values),
            cloud=inventory.cloud,
            change_number=row.body.change_number or "",
            source=source,
            date=row.body.taken_at or inventory.taken_at.date().isoformat(),
        )

    return inventory.remember("tag-data", compute)


def regional_tag(inventory: Inventory, service: str, location: str) -> str:
    """The tag of a service for a region where this cloud publishes one, else the global tag. Never an invented one."""
    data = tag_data(inventory)
    if data is not None:
        return data.regional(service, location) or data.name(service) or service
    return regional_name(inventory.cloud, service, location) or service


def has_tag(inventory: Inventory, name: str) -> bool | None:
    """Whether this cloud has a tag; None where no tag data are at hand."""
    data = tag_data(inventory)
    return None if data is None else name in data


def tag_source(inventory: Inventory) -> str:
    """Where the tag data come from and how old they are, for evidence."""
    data = tag_data(inventory)
    return data.describe() if data is not None else "no tag data: compared by name and documented containment"
