"""Cluster identity holds Network Contributor on the VNet's resource group.

## What it checks
The control-plane identity of a cluster in an own virtual network has the role Network Contributor
(`4d97b98b-1d4f-4787-a291-c67834d212e7`) at the resource group that contains the network, or above it. One verdict for
each such resource group.

- passes with an unconditional assignment of exactly that role, of the identity or of a group it is in; inherited ones
  count;
- warns if the purpose is met otherwise: by another role (`equivalent-role`), on the network or on each subnet only
  (`narrower-scope`), or under a condition that does not concern networking (`conditional`);
- fails if nothing does, naming what the identity holds and the usual mistakes: the role on the kubelet identity, on an
  application id, or on the cluster's own resource group; or if a deny assignment covers it;
- is unknown if the identity or the assignments at the resource group or above could not be read, a candidate's role
  definition is unread, a group that holds a sufficient role has unread members, or a condition can reach networking.

## Why it matters
It is the letter of the source document. Without the role the cluster cannot attach nodes or internal load balancers to
the network.

## Not concerned
Clusters whose network AKS manages.

## Limits
The resource group is the network's, from the subnet's id, never the cluster's. The role counts by its GUID: names are
localised. Eligible (PIM) is not active. Whether each subnet can in effect be joined is
`aks-identity-subnet-join-effective`.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    RIGHTS_ROLES,
    Cluster,
    ClusterPrincipal,
    Inventory,
    Mend,
    ResourceId,
    Severity,
    Source,
    SubnetUse,
    Unread,
    Verdict,
    access,
    access_model,
    check,
    control_plane,
    failed,
    footprint,
    grants_shown,
    miss_reason,
    misses_shown,
    mistaken_for,
    not_applicable,
    owned_elsewhere,
    passed,
    scope_of,
    unknown,
    warned,
)

NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
NEEDED = (
    "Microsoft.Network/virtualNetworks/subnets/read",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
)


@check(
    id="aks-identity-network-contributor-vnet-rg",
    severity=Severity.HIGH,
    source=Source("AML-V1-INF", "Network Contributor role", "/machine-learning/v1/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "grant the role to the control-plane identity, by its object id; the least privilege alternative is the same "
        "role on each subnet",
        (
            "az", "role", "assignment", "create", "--assignee-object-id", "{object_id}",
            "--assignee-principal-type", "ServicePrincipal", "--role", NETWORK_CONTRIBUTOR, "--scope", "{group_id}",
        ),
    ),
    clauses=("S11",),
    reads=(
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/roledefinitions",
        "microsoft.authorization/denyassignments",
    ),
)  # fmt: skip
def identity_network_contributor_vnet_rg(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    used = footprint(inventory, cluster)
    if isinstance(used, Unread):
        yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=cluster.name, why=used.why, hint=used.hint)
        return
    own = [use for use in used.in_roles(*RIGHTS_ROLES) if owned_elsewhere(cluster, use.network_id)]
    if used.managed or not own:
        yield not_applicable("managed-vnet", "AKS manages the network of {cluster} itself", cluster=cluster.name)
        return
    groups: dict[str, tuple[ResourceId, list[SubnetUse]]] = {}
    for use in own:
        scope = scope_of(use.id)
        group = None if isinstance(scope, Unread) else scope.resource_group_id
        if group is None:
            yield unknown(
                "not-an-id",
                "{cluster} names {subnet}, which is no subnet's id",
                part=use.id,
                cluster=cluster.name,
                subnet=use.id,
            )
            continue
        groups.setdefault(group.key, (group, []))[1].append(use)
    for group, uses in groups.values():
        yield _Case(inventory, cluster, group, uses).verdict()


class _Case:
    """One cluster and one resource group of its network."""

    def __init__(self, inventory: Inventory, cluster: Cluster, group: ResourceId, uses: list[SubnetUse]) -> None:
        self.inventory = inventory
        self.cluster = cluster
        self.group = group
        self.uses = uses
        self.more: dict[str, Any] = {
            "part": group.text,
            "related": (group.text,),
            "cluster": cluster.name,
            "group": group.name,
            "group_id": group.text,
        }

    def verdict(self) -> Verdict:
        principal = control_plane(self.inventory, self.cluster)
        if isinstance(principal, Unread):
            return unknown(
                principal.reason,
                "whether {cluster} has the role on {group} is not known: {why}",
                why=principal.why,
                hint=principal.hint,
                **self.more,
            )
        self.more["object_id"] = principal.object_id
        model = access_model(self.inventory)
        who = access.Principal(principal.object_id, "ServicePrincipal")
        at, others = self.inventory.taken_at, mistaken_for(self.inventory, self.cluster)
        letter = access.grants_role(
            model, who, NETWORK_CONTRIBUTOR, self.group, at=at, operations=NEEDED, others=others
        )
        self.more |= {"trace": letter.trace, "effect": letter.effect}
        denies = access.denying(model, who, NEEDED, self.group, below=True)
        reaching = [deny for deny in denies if self._touches(deny)]
        if letter.denied or reaching:
            deny = letter.denied[0].deny if letter.denied else reaching[0]
            return failed(
                "deny-assignment",
                "deny assignment {deny} keeps the identity of {cluster} from the network in {group}",
                *principal.how,
                deny=deny.name or deny.id,
                mend=Mend.by("a deny assignment comes from a deployment stack or a managed application: change that"),
                **self.more,
            )
        if letter.status is access.Status.GRANTED:
            return self._granted(letter)
        return self._otherwise(letter, model, who, principal, others)

    def _touches(self, deny: access.DenyAssignment) -> bool:
        """Whether a deny below the group is on this cluster's own networks, not on a neighbour's."""
        if isinstance(deny.scope, Unread):
            return False
        scopes = [scope_of(use.id) for use in self.uses]
        return any(
            not isinstance(scope, Unread) and (deny.scope.covers(scope) or self.group.key == deny.scope.key)
            for scope in scopes
        )

    def _granted(self, letter: access.AccessDecision) -> Verdict:
        shown = grants_shown(letter)
        if letter.condition is access.Reach.NONE:
            return passed(
                "network-contributor",
                "the identity of {cluster} has Network Contributor on {group}, from {scope}",
                *shown,
                scope=str(letter.granted[0].assignment.scope),
                **self.more,
            )
        return warned(
            "conditional",
            "the identity of {cluster} has Network Contributor on {group} only under a condition, which does not "
            "concern networking",
            *shown,
            condition=letter.granted[0].assignment.condition,
            mend=Mend.by("take the condition off the role assignment, or leave it: a second one without it is refused"),
            **self.more,
        )

    def _otherwise(
        self,
        letter: access.AccessDecision,
        model: access.AccessModel,
        who: access.Principal,
        principal: ClusterPrincipal,
        others: dict[str, str],
    ) -> Verdict:
        at = self.inventory.taken_at
        equivalent = access.decide(model, who, NEEDED, self.group, at=at, others=others)
        if equivalent.status is access.Status.GRANTED:
            return warned(
                "equivalent-role",
                "the identity of {cluster} may use the network in {group} by {roles}, not by Network Contributor",
                *grants_shown(equivalent),
                roles=sorted(role.name for role in equivalent.roles),
                **self.more,
            )
        narrower = [
            access.decide(model, who, NEEDED, scope, at=at)
            for scope in map(scope_of, (use.id for use in self.uses))
            if not isinstance(scope, Unread)
        ]
        if narrower and all(decision.status is access.Status.GRANTED for decision in narrower):
            return warned(
                "narrower-scope",
                "the identity of {cluster} may use its subnets in {group} by grants on {scopes}, not on the group",
                *(evidence for decision in narrower for evidence in grants_shown(decision)),
                scopes=sorted({str(a.assignment.scope) for decision in narrower for a in decision.granted}),
                **self.more,
            )
        if letter.undecided or equivalent.undecided:
            pieces = letter.pieces or equivalent.pieces
            piece = next((p for p in pieces if p.reason != "condition"), pieces[0])
            return unknown(
                piece.reason,
                "whether the identity of {cluster} has the role on {group} is not known: {what}: {why}",
                *principal.how,
                *misses_shown(letter),
                what=piece.what,
                why=piece.why,
                hint=piece.hint,
                **self.more,
            )
        told = equivalent if equivalent.misses else letter
        shown = misses_shown(told)
        return failed(
            miss_reason(told),
            "the identity of {cluster} lacks Network Contributor on {group}; it holds instead: {instead}",
            *principal.how,
            *shown,
            instead=[evidence.note for evidence in shown] or ["nothing that comes near"],
            **self.more,
        )
