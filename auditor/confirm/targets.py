"""What to read again for a finding: the one or two ARM resources whose properties decide it.

The evidence says which: a rule's group, a subnet's network, a pool's cluster. A right that is missing has no evidence
of its own, so the assignments of the principal at the scope where it would have to be are read instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from auditor.findings import Finding
from auditor.inventory import Inventory
from auditor.inventory.records import RoleAssignment
from auditor.values import ResourceId, fold

MOST_READS_OF_ONE = 2
"""ARM reads for one finding at most."""

ASSIGNMENTS = "microsoft.authorization/roleassignments"

NETWORK = {
    "microsoft.network/azurefirewalls": "azure_firewalls",
    "microsoft.network/loadbalancers": "load_balancers",
    "microsoft.network/natgateways": "nat_gateways",
    "microsoft.network/networkinterfaces": "network_interfaces",
    "microsoft.network/networkprofiles": "network_profiles",
    "microsoft.network/networksecuritygroups": "network_security_groups",
    "microsoft.network/privateendpoints": "private_endpoints",
    "microsoft.network/publicipaddresses": "public_ip_addresses",
    "microsoft.network/publicipprefixes": "public_ip_prefixes",
    "microsoft.network/routetables": "route_tables",
    "microsoft.network/virtualnetworks": "virtual_networks",
}
"""The network client's group of operations for each type that it reads by name."""

CLUSTERS = "microsoft.containerservice/managedclusters"
DEFINITIONS = "microsoft.authorization/roledefinitions"
BY_SDK = frozenset({*NETWORK, CLUSTERS, DEFINITIONS, ASSIGNMENTS})
"""Types that the given SDKs read."""

API_VERSIONS = {
    "microsoft.containerinstance/containergroups": "2023-05-01",
    "microsoft.containerregistry/registries": "2023-07-01",
    "microsoft.keyvault/vaults": "2023-07-01",
    "microsoft.kubernetesconfiguration/extensions": "2023-05-01",
    "microsoft.machinelearningservices/workspaces": "2024-04-01",
    "microsoft.machinelearningservices/workspaces/computes": "2024-04-01",
    "microsoft.machinelearningservices/workspaces/onlineendpoints": "2024-04-01",
    "microsoft.managedidentity/userassignedidentities": "2023-01-31",
    "microsoft.network/privatednszones": "2020-06-01",
    "microsoft.network/privatednszones/a": "2020-06-01",
    "microsoft.network/privatednszones/virtualnetworklinks": "2020-06-01",
    "microsoft.storage/storageaccounts": "2023-05-01",
}
"""The api-version of the types that no given SDK reads."""


@dataclass(frozen=True, slots=True)
class One:
    """A resource, with all that its body tells of its children."""

    id: str = field(compare=False)
    key: str

    @classmethod
    def of(cls, resource_id: str) -> One:
        """The resource of this id; ids compare without case."""
        return cls(resource_id, fold(resource_id))


@dataclass(frozen=True, slots=True)
class AssignmentsOf:
    """The role assignments that a principal has at a scope: its own, its groups', and what is inherited."""

    scope: str = field(compare=False)
    principal: str
    key: str

    @classmethod
    def at(cls, scope: str, principal: str) -> AssignmentsOf:
        """The assignments of a principal (object id) that reach a scope (ARM id)."""
        return cls(scope, principal.casefold(), fold(scope))


Target = One | AssignmentsOf


def targets_of(finding: Finding, inventory: Inventory) -> tuple[Target, ...]:
    """What decides the finding, at most two reads; nothing where all its evidence lies outside ARM.

    The evidence of the worst verdict stands first, so its first two resources are those that prove it.
    """
    found = dict.fromkeys(_candidates(finding, inventory))
    return tuple(found)[:MOST_READS_OF_ONE]


def _candidates(finding: Finding, inventory: Inventory) -> Iterator[Target]:
    principal = principal_of(finding, inventory)
    scopes = deciding_scopes(finding) if principal is not None else ()
    yield from (AssignmentsOf.at(scope, principal or "") for scope in scopes)
    shown = [one for evidence in finding.evidence if (one := readable(evidence.resource)) is not None]
    # Where the principal's assignments are listed at the deciding scopes, each of them by itself tells nothing more.
    yield from (one for one in shown if not scopes or not is_assignment(one.key))
    if not shown and not scopes:
        yield from (one for each in (finding.resource.id, finding.part) if each and (one := readable(each)) is not None)


def readable(resource_id: str) -> One | None:
    """The resource to ask for: the nearest at or above this id that ARM gives by a GET; None if there is none."""
    try:
        at: ResourceId | None = ResourceId.parse(resource_id)
    except ValueError:
        return None
    while at is not None and at.type not in BY_SDK and at.type not in API_VERSIONS:
        at = at.parent
    return One.of(at.text) if at is not None else None


def is_assignment(resource_id: str) -> bool:
    """Whether this is a role assignment's id."""
    return f"/providers/{ASSIGNMENTS}/" in fold(resource_id)


def scope_of_assignment(assignment: str) -> str:
    """The scope that a role assignment's id says it lies at; `/` is the tenant."""
    return assignment[: fold(assignment).rfind(f"/providers/{ASSIGNMENTS}/")] or "/"


def principal_of(finding: Finding, inventory: Inventory) -> str | None:
    """The object id whose rights decide the finding; None if it is no finding about one principal's rights.

    `assignedTo` takes users and service principals only, so an assignment to a group is read by its own id.
    """
    named = finding.facts.get("object_id")
    if isinstance(named, str) and named:
        return named
    for evidence in finding.evidence:
        found = inventory.find(RoleAssignment, evidence.resource) if is_assignment(evidence.resource) else None
        if isinstance(found, RoleAssignment) and (found.body.principal_type or "").casefold() in _SINGLE:
            return found.body.principal_id
    return None


_SINGLE = ("serviceprincipal", "user")
_SCOPES = ("zone_id", "network_id", "subnet_id", "table_id", "registry_id", "group_id")
"""Facts in which checks name the scopes at which they ask for rights."""


def deciding_scopes(finding: Finding) -> tuple[str, ...]:
    """The scopes at which a right would have to be: the finding's part, and what its facts name.

    A list at one scope holds what is inherited, so a scope above another one of them is left out. Where neither is
    named, the scopes of the assignments that the evidence shows.
    """
    named = [finding.part, *(finding.facts.get(name) for name in _SCOPES)]
    scopes = [found for text in named if isinstance(text, str) and (found := _scope(text)) is not None]
    if not scopes:
        shown = (each.resource for each in finding.evidence if is_assignment(each.resource))
        scopes = [found for each in shown if (found := _scope(scope_of_assignment(each))) is not None]
    lowest = [one for one in scopes if not any(one.covers(other) and one != other for other in scopes)]
    return tuple(scope.text for scope in dict.fromkeys(lowest))


def _scope(text: str) -> ResourceId | None:
    """A scope that the authorization client can be asked about: one in a subscription."""
    try:
        found = ResourceId.parse(text)
    except ValueError:
        return None
    return found if found.subscription_id is not None else None
