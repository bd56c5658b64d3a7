"""Property paths, and whether one says something of the other.

Azure's change feed knows tracked resources only: a subnet's delegation is a change of its network at
`properties.subnets["snet-aci"].properties.delegations["…"]`. Evidence names the subnet itself. Both become a *place*
here: the tracked resource, and the steps from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auditor.findings import Finding
from auditor.values import ResourceId, fold

_STEP = re.compile(r"""\[\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\]]*))\s*\]|([^.\[\]]+)""")
ANY = None
"""A step that any element of a list meets: `[]`, or a position, since elements move."""

_INSIDE = {"agentpools": "agentpoolprofiles"}
"""Properties of a parent that are spelled otherwise than the child's type."""


@dataclass(frozen=True, slots=True)
class Place:
    """Steps within a tracked resource (its folded id); no steps at all mean the resource as a whole."""

    resource: str
    steps: tuple[str | None, ...]

    def concerns(self, other: Place) -> bool:
        """Whether one is the other, or above or below it: of the same resource, and equal as far as both go."""
        if self.resource != other.resource:
            return False
        pairs = zip(self.steps, other.steps, strict=False)
        return all(one == another or one is ANY or another is ANY for one, another in pairs)

    def holds(self, other: Place) -> bool:
        """Whether the other one is this one, or below it."""
        return len(self.steps) <= len(other.steps) and self.concerns(other)


def steps_of(path: str) -> tuple[str | None, ...]:
    """The steps of a property path: `properties.subnets["a"].id` and `properties.subnets['a'].id` are one."""
    found: list[str | None] = []
    for match in _STEP.finditer(path):
        quoted, single, bare, name = match.groups()
        if name is not None:
            found.append(name.strip().casefold())
        elif quoted is not None or single is not None:
            found.append(fold(re.sub(r"\\(.)", r"\1", quoted if quoted is not None else single)))
        else:
            found.append(ANY if not bare.strip() or bare.strip().isdigit() else fold(bare))
    return tuple(found)


def place_of(resource_id: str, path: str = "") -> Place | None:
    """Where a property of a resource is; a child's lies within the tracked resource that tells it."""
    try:
        resource = ResourceId.parse(resource_id)
    except ValueError:
        return None
    steps = steps_of(path)
    while (parent := resource.parent) is not None and not _tracked(resource):
        collection = resource.segments[-2].casefold()
        steps = ("properties", _INSIDE.get(collection, collection), resource.name.casefold(), *steps)
        resource = parent
    return Place(resource.key, steps)


_TRACKED_CHILDREN = (
    "microsoft.machinelearningservices/workspaces/",
    "microsoft.containerregistry/registries/replications",
    "microsoft.network/privatednszones/virtualnetworklinks",
)


def _tracked(resource: ResourceId) -> bool:
    """Whether a child has an entry of its own in Resource Graph."""
    return resource.type.startswith(_TRACKED_CHILDREN)


def places_of(finding: Finding, before: Finding | None) -> Iterator[Place]:
    """What the finding rests on now, and what it rested on in the baseline: a rule that is gone shows only there."""
    for each in (finding, before):
        for evidence in each.evidence if each is not None else ():
            place = place_of(evidence.resource, evidence.path)
            if place is not None:
                yield place


def own_place(finding: Finding) -> Place | None:
    """The place of the resource that the finding is about."""
    return place_of(finding.resource.id)


_LISTS = ("securityrules", "defaultsecurityrules", "routes")


def lists_of(places: Iterable[Place]) -> Iterator[Place]:
    """The lists of rules and routes that the places lie in: what is permitted rests on all their elements."""
    for place in places:
        if len(place.steps) > 1 and place.steps[0] == "properties" and place.steps[1] in _LISTS:
            yield Place(place.resource, place.steps[:2])
