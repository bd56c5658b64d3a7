"""Cluster identity may write the route table on its subnet.

## What it checks
For each route table that lies on a node, pod, API server or load balancer subnet of a cluster, outside the cluster's
node resource group: what the control-plane identity may do on it. One verdict for each table.

With kubenet the cloud provider keeps a route for each node:

- fails without `Microsoft.Network/routeTables/read`, `…/write` or `…/routes/write`, naming what the identity holds
  instead;
- warns if only `…/routes/read` or `…/routes/delete` is lacking, or the identity is system-assigned, which AKS supports
  with an own table only where its command line made the assignment;
- passes otherwise.

With any other network plugin it warns without `routeTables/read` and `routeTables/join/action`, which whoever updates
a subnet with a table needs, the cloud provider included when it builds a private link service; else it passes.

It warns too if a grant ends within 14 days. It is unknown if the identity, assignments at or above the table, a subnet
or the network plugin could not be read.

## Why it matters
Without routes the pods of a new kubenet node are not reached. Without `join` a change of the subnet by the cluster
fails.

## Not concerned
Clusters whose subnets have no table, or only the one that AKS keeps in the node resource group.

## Limits
The role on the virtual network says nothing of the table: it often lies in a hub's resource group or subscription,
which has to be scanned too for a verdict. Whether the routes are there is judged by `route-kubenet-table`.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    RENEW,
    RIGHTS_ROLES,
    Cluster,
    ClusterPrincipal,
    Footprint,
    Inventory,
    Mend,
    Severity,
    Source,
    SubnetUse,
    Unread,
    Verdict,
    access,
    access_model,
    check,
    control_plane,
    ends_soon,
    failed,
    footprint,
    grants_shown,
    how_to_read,
    key_of,
    miss_reason,
    misses_shown,
    mistaken_for,
    not_applicable,
    owned_elsewhere,
    passed,
    resource_name,
    rights_effect,
    scope_of,
    unknown,
    warned,
)

NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
WRITE_ROUTES = (
    "Microsoft.Network/routeTables/read",
    "Microsoft.Network/routeTables/write",
    "Microsoft.Network/routeTables/routes/write",
)
TIDY_ROUTES = (
    "Microsoft.Network/routeTables/routes/read",
    "Microsoft.Network/routeTables/routes/delete",
)
RELINK = (
    "Microsoft.Network/routeTables/read",
    "Microsoft.Network/routeTables/join/action",
)


GRANT = Mend.by(
    "give the control-plane identity Network Contributor on the route table; with kubenet and an own table use a "
    "user-assigned identity",
    (
        "az", "role", "assignment", "create", "--assignee-object-id", "{object_id}",
        "--assignee-principal-type", "ServicePrincipal", "--role", NETWORK_CONTRIBUTOR, "--scope", "{table_id}",
    ),
)  # fmt: skip


@check(
    id="rbac-route-table-rights",
    severity=Severity.HIGH,
    source=Source("AKS-KUBENET", "Bring your own subnet and route table", "/aks/configure-kubenet"),
    mend=GRANT,
    reads=(
        "microsoft.network/virtualnetworks",
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/roledefinitions",
        "microsoft.authorization/denyassignments",
    ),
)  # fmt: skip
def route_table_rights(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    used = footprint(inventory, cluster)
    if isinstance(used, Unread):
        yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=cluster.name, why=used.why, hint=used.hint)
        return
    tables, unread = _tables(cluster, used)
    for table_id, uses in tables:
        yield _decide(inventory, cluster, table_id, uses)
    for use, why in unread:
        yield unknown(
            "subnet-unread",
            "whether {subnet} of {cluster} carries a route table is not known: {why}",
            part=use.id,
            cluster=cluster.name,
            subnet=resource_name(use.id),
            why=why.why,
            hint=why.hint,
        )
    if used.incomplete is not None:
        yield unknown(
            used.incomplete.reason,
            "{cluster} may use further subnets: {why}",
            part="further-subnets",
            cluster=cluster.name,
            why=used.incomplete.why,
            hint=used.incomplete.hint,
        )
    elif not tables and not unread:
        yield not_applicable(
            "no-own-table", "no subnet of {cluster} carries a route table of one's own", cluster=cluster.name
        )


def _tables(
    cluster: Cluster, used: Footprint
) -> tuple[list[tuple[str, list[SubnetUse]]], list[tuple[SubnetUse, Unread]]]:
    """The tables outside the node resource group, each with the subnets that carry it; and the unread subnets."""
    found: dict[str, tuple[str, list[SubnetUse]]] = {}
    unread = []
    for use in used.in_roles(*RIGHTS_ROLES):
        if isinstance(use.subnet, Unread):
            unread.append((use, use.subnet))
            continue
        table_id = use.subnet.route_table_id
        if table_id and owned_elsewhere(cluster, table_id):
            found.setdefault(key_of(table_id), (table_id, []))[1].append(use)
    return list(found.values()), unread


def _decide(inventory: Inventory, cluster: Cluster, table_id: str, uses: list[SubnetUse]) -> Verdict:
    shown = [
        use.subnet.show("properties.routeTable.id", table_id) for use in uses if not isinstance(use.subnet, Unread)
    ]
    more: dict[str, Any] = {
        "part": table_id,
        "related": (table_id, *(use.id for use in uses)),
        "cluster": cluster.name,
        "table": resource_name(table_id),
        "table_id": table_id,
    }
    principal = control_plane(inventory, cluster)
    scope = scope_of(table_id)
    if isinstance(principal, Unread) or isinstance(scope, Unread):
        lost = principal if isinstance(principal, Unread) else scope
        assert isinstance(lost, Unread)
        return unknown(
            lost.reason,
            "whether {cluster} may write {table} is not known: {why}",
            *shown,
            why=lost.why,
            hint=lost.hint or "collect the cluster's data again, unmasked",
            **more,
        )
    if not cluster.plugin:
        return unknown(
            "plugin-unread",
            "what {cluster} must do with {table} is not known: networkProfile.networkPlugin is not in its data",
            *shown,
            hint="grant Reader on the cluster and collect again",
            **more,
        )
    case = _Case(inventory, cluster, principal, scope, more | {"object_id": principal.object_id})
    return case.with_kubenet() if cluster.plugin == "kubenet" else case.without_kubenet()


class _Case:
    """One cluster's identity and one table."""

    def __init__(
        self,
        inventory: Inventory,
        cluster: Cluster,
        principal: ClusterPrincipal,
        scope: access.Scope,
        more: dict[str, Any],
    ) -> None:
        self.inventory = inventory
        self.cluster = cluster
        self.principal = principal
        self.scope = scope
        self.more = more

    def _ask(self, operations: tuple[str, ...]) -> access.AccessDecision:
        return access.decide(
            access_model(self.inventory),
            access.Principal(self.principal.object_id, "ServicePrincipal"),
            operations,
            self.scope,
            at=self.inventory.taken_at,
            others=mistaken_for(self.inventory, self.cluster),
        )

    def with_kubenet(self) -> Verdict:
        needed, tidy = self._ask(WRITE_ROUTES), self._ask(TIDY_ROUTES)
        self.more |= {"trace": (*needed.trace, *tidy.trace), "effect": rights_effect(needed, tidy)}
        if needed.denied:
            return failed(
                "deny-assignment",
                "deny assignment {deny} forbids {actions} on {table} to the identity of {cluster}",
                *self.principal.how,
                deny=needed.denied[0].deny.name or needed.denied[0].deny.id,
                actions=[answer.asked for answer in needed.denied],
                mend=Mend.by("a deny assignment comes from a deployment stack or a managed application: change that"),
                **self.more,
            )
        if needed.missing:
            shown = misses_shown(needed)
            return failed(
                miss_reason(needed),
                "the identity of {cluster}, which uses kubenet, lacks {missing} on {table}; it holds instead: "
                "{instead}",
                *self.principal.how,
                *shown,
                missing=[answer.asked for answer in needed.missing],
                instead=[evidence.note for evidence in shown] or ["nothing that comes near"],
                **self.more,
            )
        if needed.undecided or tidy.undecided:
            return self._undecided(needed if needed.undecided else tidy)
        if lacking := [*(a.asked for a in tidy.missing), *(a.asked for a in tidy.denied)]:
            return warned(
                "routes-not-tidied",
                "the identity of {cluster} may write the routes of {table}, but lacks {missing}",
                *grants_shown(needed),
                *misses_shown(tidy),
                missing=lacking,
                **self.more,
            )
        if self.principal.kind == "system-assigned":
            return warned(
                "system-assigned",
                "the identity of {cluster} may write {table}; it is system-assigned, which kubenet supports with an "
                "own table only where the command line made the assignment",
                *self.principal.how,
                *grants_shown(needed),
                mend=Mend(GRANT.summary),
                **self.more,
            )
        return self._granted(needed, tidy)

    def without_kubenet(self) -> Verdict:
        needed = self._ask(RELINK)
        self.more |= {"trace": needed.trace, "effect": needed.effect}
        if lacking := [*(a.asked for a in needed.denied), *(a.asked for a in needed.missing)]:
            return warned(
                "cannot-relink",
                "the identity of {cluster} lacks {missing} on {table}: its own changes of the subnet would fail",
                *self.principal.how,
                *misses_shown(needed),
                missing=lacking,
                **self.more,
            )
        if needed.undecided:
            return self._undecided(needed)
        return self._granted(needed)

    def _undecided(self, decision: access.AccessDecision) -> Verdict:
        piece = decision.pieces[0]
        return unknown(
            piece.reason,
            "whether {cluster} may write {table} is not known: {what}: {why}",
            *self.principal.how,
            *misses_shown(decision),
            what=piece.what,
            why=piece.why,
            hint=how_to_read(self.inventory, piece, self.scope),
            **self.more,
        )

    def _granted(self, *decisions: access.AccessDecision) -> Verdict:
        shown = [evidence for decision in decisions for evidence in grants_shown(decision)]
        ends = ends_soon(self.inventory.taken_at, *decisions)
        if ends is not None:
            return warned(
                "grant-ends-soon",
                "the identity of {cluster} may do what it needs on {table}, but only until {ends}",
                *shown,
                ends=ends,
                mend=RENEW,
                **self.more,
            )
        return passed(
            "granted",
            "the identity of {cluster} may do what it needs on {table}, by {role}",
            *shown,
            role=sorted({role.name for decision in decisions for role in decision.roles}) or ["the role shown"],
            **self.more,
        )
