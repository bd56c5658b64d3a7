"""What a check can be about: the types its first parameter may have, and where their instances come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from auditor.derive.footprint import InferenceSubnet, inference_subnets
from auditor.inventory import Inventory
from auditor.inventory.records import (
    Cluster,
    Compute,
    ContainerGroup,
    Extension,
    Registry,
    RoleDefinition,
    Workspace,
)


def _every(kind: Any) -> Callable[[Inventory], Iterable[Any]]:
    return lambda inventory: inventory.every(kind)


SUBJECTS: dict[type[Any], Callable[[Inventory], Iterable[Any]]] = {
    Cluster: _every(Cluster),
    Workspace: _every(Workspace),
    Compute: _every(Compute),
    Extension: lambda inventory: (e for e in inventory.every(Extension) if e.azure_ml),
    ContainerGroup: _every(ContainerGroup),
    Registry: _every(Registry),
    RoleDefinition: lambda inventory: (
        r for r in inventory.every(RoleDefinition) if (r.body.type or "").casefold() != "builtinrole"
    ),
    InferenceSubnet: inference_subnets,
    Inventory: lambda inventory: (inventory,),
}
"""A check about `Inventory` is called once a scan and names the resource of each verdict itself (`about`)."""

RESOURCE_SUBJECTS = (Cluster, Workspace, Compute, Extension, ContainerGroup, Registry, RoleDefinition)
"""Subjects that are resources: one that exists but could not be decoded gives an unknown in each check about it."""
