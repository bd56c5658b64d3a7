"""The Resource Graph queries of a scan, as text: each projects `id`, sorts by it, and takes no part of the rows only.

`summarize`, `take` and joins are absent: pages are stable only when sorted by a unique column that is projected, and
what belongs together is joined in the inventory. Ids are compared without case (`in~`), types likewise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Table = Literal[
    "resources",
    "resourcecontainers",
    "authorizationresources",
    "kubernetesconfigurationresources",
    "dnsresources",
    "networkresources",
    "resourcechanges",
]

MOST_VALUES = 1000
"""Values in one `in~` list at most: as many as a page has rows, so that a list costs one request for each page."""
MOST_CHARACTERS = 200_000
"""Length of one query at most. Assumption: Resource Graph documents no limit; ARM takes bodies of 4 MB."""

_COLUMNS = "id, name, type, location, kind, sku, tags, identity, properties"
_FEW_COLUMNS = "id, name, type, location, properties"
_CONTAINER_COLUMNS = "id, name, type, location, managedBy, properties"


@dataclass(frozen=True, slots=True)
class Query:
    """One query over one table; `what` names in gaps what it would have brought."""

    table: Table
    text: str
    what: str


def quoted(text: str) -> str:
    """A KQL string literal. Ids and names are hostile input: backslash, quote and control characters are escaped."""
    out = []
    for character in text:
        if character in "\\'":
            out.append("\\" + character)
        elif ord(character) < 32 or ord(character) in (0x7F, 0x2028, 0x2029):
            out.append(f"\\u{ord(character):04x}")
        else:
            out.append(character)
    return "'" + "".join(out) + "'"


def value_list(values: Iterable[str]) -> str:
    """`('a', 'b')`, sorted, each once."""
    return "(" + ", ".join(quoted(value) for value in sorted(set(values))) + ")"


def chunks(values: Iterable[str], most: int = MOST_VALUES, characters: int = MOST_CHARACTERS) -> Iterator[list[str]]:
    """The values sorted, each once, in runs that fit into one query."""
    run: list[str] = []
    length = 0
    for value in sorted(set(values)):
        if run and (len(run) >= most or length + len(value) + 4 > characters):
            yield run
            run, length = [], 0
        run.append(value)
        length += len(value) + 4
    if run:
        yield run


def query(table: Table, condition: str, what: str) -> Query:
    """`table | where condition`, projected and sorted as every query must be."""
    columns = {"resources": _COLUMNS, "resourcecontainers": _CONTAINER_COLUMNS}.get(table, _FEW_COLUMNS)
    return Query(table, f"{table} | where {condition} | project {columns} | order by id asc", what)


ESTATE_TYPES = (
    "microsoft.containerservice/managedclusters",
    "microsoft.machinelearningservices/workspaces",
    "microsoft.machinelearningservices/workspaces/onlineendpoints",
    "microsoft.containerinstance/containergroups",
)
"""Where a scan begins: what serves inference, or is attached to what does."""

NODE_GROUP_TYPES = (
    "microsoft.network/loadbalancers",
    "microsoft.network/publicipaddresses",
    "microsoft.network/publicipprefixes",
    "microsoft.network/networksecuritygroups",
    "microsoft.network/routetables",
    "microsoft.network/networkinterfaces",
    "microsoft.network/natgateways",
    "microsoft.network/virtualnetworks",
    "microsoft.network/privatednszones",
    "microsoft.network/privatednszones/virtualnetworklinks",
    "microsoft.network/privateendpoints",
    "microsoft.managedidentity/userassignedidentities",
)
"""What is read of a cluster's node resource group as a whole."""


def estate() -> Query:
    """Clusters, workspaces, online endpoints and container groups of the scopes."""
    return query("resources", f"type in~ {value_list(ESTATE_TYPES)}", "the inference estate")


def extensions() -> Query:
    """The Azure ML extension of each cluster."""
    condition = (
        "type =~ 'microsoft.kubernetesconfiguration/extensions'"
        " and tostring(properties.extensionType) =~ 'microsoft.azureml.kubernetes'"
    )
    return query("kubernetesconfigurationresources", condition, "microsoft.kubernetesconfiguration/extensions")


def subscriptions() -> Query:
    """The subscriptions of the scopes, with their chain of management groups."""
    return query(
        "resourcecontainers", "type =~ 'microsoft.resources/subscriptions'", "microsoft.resources/subscriptions"
    )


def subscriptions_of(ids: Iterable[str]) -> list[Query]:
    """Subscriptions by their GUIDs."""
    return [
        query(
            "resourcecontainers",
            f"type =~ 'microsoft.resources/subscriptions' and subscriptionId in~ {value_list(run)}",
            "microsoft.resources/subscriptions",
        )
        for run in chunks(ids)
    ]


def managed_groups(groups: Iterable[str]) -> list[Query]:
    """Those of the resource groups that something else manages: a managed application's carry deny assignments."""
    return [
        query(
            "resourcecontainers",
            "type =~ 'microsoft.resources/subscriptions/resourcegroups' and isnotempty(managedBy)"
            f" and id in~ {value_list(run)}",
            "microsoft.resources/subscriptions/resourcegroups",
        )
        for run in chunks(groups)
    ]


def resources_where(conditions: Iterable[str]) -> list[Query]:
    """One query over `resources` for everything that a round asks for, several only where that would be too long."""
    queries: list[Query] = []
    run: list[str] = []
    length = 0
    for condition in conditions:
        if run and length + len(condition) > MOST_CHARACTERS:
            queries.append(query("resources", " or ".join(run), "resources"))
            run, length = [], 0
        run.append(f"({condition})")
        length += len(condition) + 6
    if run:
        queries.append(query("resources", " or ".join(run), "resources"))
    return queries


def by_id(ids: Iterable[str]) -> Iterator[str]:
    """Resources of any type by their ids."""
    return (f"id in~ {value_list(run)}" for run in chunks(ids))


def node_groups(groups: Iterable[str]) -> Iterator[str]:
    """What matters of node resource groups, given as `subscription/group`."""
    types = value_list(NODE_GROUP_TYPES)
    return (
        f"type in~ {types} and strcat(subscriptionId, '/', resourceGroup) in~ {value_list(run)}"
        for run in chunks(groups)
    )


def balancers_of(clusters: Iterable[str]) -> Iterator[str]:
    """Load balancers that a cluster's cloud provider made outside its node resource group, told by their tag."""
    return (
        "type =~ 'microsoft.network/loadbalancers'"
        f" and tostring(tags['aks-managed-cluster-name']) in~ {value_list(run)}"
        for run in chunks(clusters)
    )


def endpoints_to(targets: Iterable[str]) -> Iterator[str]:
    """Private endpoints that lead to the targets. An endpoint has one connection: automatic or manual."""
    service = "properties.privateLinkServiceId"
    return (
        "type =~ 'microsoft.network/privateendpoints' and ("
        f"tostring(properties.privateLinkServiceConnections[0].{service}) in~ {value_list(run)}"
        f" or tostring(properties.manualPrivateLinkServiceConnections[0].{service}) in~ {value_list(run)})"
        for run in chunks(targets)
    )


def replications_of(registries: Iterable[str]) -> Iterator[str]:
    """The regions that registries are replicated to."""
    return (
        "type =~ 'microsoft.containerregistry/registries/replications'"
        f" and tostring(split(tolower(id), '/replications/')[0]) in {value_list(v.lower() for v in run)}"
        for run in chunks(registries)
    )


def zone_links_to(networks: Iterable[str]) -> Iterator[str]:
    """Links of private link zones with the networks; a hub is linked with a hundred other zones."""
    return (
        "type =~ 'microsoft.network/privatednszones/virtualnetworklinks' and id contains 'privatelink.'"
        f" and tostring(properties.virtualNetwork.id) in~ {value_list(run)}"
        for run in chunks(networks)
    )


def firewalls_in(subnets: Iterable[str]) -> Iterator[str]:
    """Azure Firewalls in their subnets: where default routes lead to."""
    return (
        "type =~ 'microsoft.network/azurefirewalls'"
        f" and tostring(properties.ipConfigurations[0].properties.subnet.id) in~ {value_list(run)}"
        for run in chunks(subnets)
    )


def address_records(zones: Iterable[str], names: Iterable[str]) -> list[Query]:
    """A records of the zones, of the names only: a central zone holds those of the whole company."""
    wanted = list(names)
    return [
        query(
            "dnsresources",
            "type =~ 'microsoft.network/privatednszones/a'"
            f" and tostring(split(tolower(id), '/a/')[0]) in {value_list(v.lower() for v in zone_run)}"
            f" and name in~ {value_list(run)}",
            "microsoft.network/privatednszones/a",
        )
        for zone_run in chunks(zones, 200)
        for run in chunks(wanted)
    ]


def admin_rules(networks: Iterable[str]) -> list[Query]:
    """What Virtual Network Manager imposes on the networks.

    Assumption: a row's id begins with its network's id, or `properties.virtualNetworkId` names it.
    """
    kind = "/providers/microsoft.network/effectivesecurityadminrules"
    return [
        query(
            "networkresources",
            "type =~ 'microsoft.network/effectivesecurityadminrules' and ("
            f"tostring(split(tolower(id), '{kind}')[0]) in {value_list(v.lower() for v in run)}"
            f" or tostring(properties.virtualNetworkId) in~ {value_list(run)})",
            "microsoft.network/effectivesecurityadminrules",
        )
        for run in chunks(networks)
    ]


def role_assignments(principals: Iterable[str], scopes: Iterable[str]) -> list[Query]:
    """Assignments of the principals anywhere, and of groups at the scopes that decide.

    The runs of both go side by side: every query carries one of each as long as there are any, so that no row is asked
    for by more queries than name it.
    """
    queries = []
    for principal_run, scope_run in itertools.zip_longest(chunks(principals), chunks(scopes)):
        asked = []
        if principal_run:
            asked.append(f"tostring(properties.principalId) in~ {value_list(principal_run)}")
        if scope_run:
            asked.append(
                "(tostring(properties.principalType) =~ 'Group'"
                f" and tostring(properties.scope) in~ {value_list(scope_run)})"
            )
        queries.append(
            query(
                "authorizationresources",
                f"type =~ 'microsoft.authorization/roleassignments' and ({' or '.join(asked)})",
                "microsoft.authorization/roleassignments",
            )
        )
    return queries


def role_definitions(names: Iterable[str]) -> list[Query]:
    """Definitions by their GUIDs, and custom roles that carry the operation's known misspelling."""
    custom = (
        "(tostring(properties.type) =~ 'CustomRole'"
        " and tostring(properties.permissions) contains 'virtualnetworks/subnet/')"
    )
    return [
        query(
            "authorizationresources",
            f"type =~ 'microsoft.authorization/roledefinitions' and (name in~ {value_list(run)} or {custom})",
            "microsoft.authorization/roledefinitions",
        )
        for run in chunks(names)
    ]


def changes_of(resources: Iterable[str], since: datetime) -> list[Query]:
    """Recorded changes of the resources (14 days are kept), a row a write with all properties that it changed."""
    return [
        Query(
            "resourcechanges",
            f"resourcechanges | where tostring(properties.targetResourceId) in~ {value_list(run)}"
            " and todatetime(properties.changeAttributes.timestamp)"
            f" >= datetime({since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ})"
            " | project id, name, type, properties | order by id asc",
            "resourcechanges",
        )
        for run in chunks(resources)
    ]
