"""Cluster identity holds Network Contributor on the VNet's resource group.

## What it checks
The control-plane identity of a cluster in an own virtual network has the role Network Contributor
(`4d97b98b-1d4f-4787-a291-c67834d212e7`) at the resource group that contains the network, or above it. One verdict for
each such resource group.

- passes with an unconditional assignment of exactly that role, of the identity or of a group it is in; inherited ones
  count;
- warns if the purpose is met otherwise: by another role (`equivalent-role`), on the network or on each subnet only
  (`narrower-scope`), under a condition that does not concern networking (`conditional`), or only for the next 14 days;
- fails if nothing does, naming what the identity holds and the usual mistakes: the role on the kubelet identity, on an
  application id, or on the cluster's own resource group; or if a deny assignment covers it;
- is unknown if the identity or assignments that could grant it, down to the subnets, could not be read, a candidate's
  role definition is unread, a group that holds a sufficient role has unread members, a condition can reach networking,
  a deny assignment may apply, or grants on the known subnets are all there is and the cluster may use others.

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
    RENEW,
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
    ends_soon,
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
        yield _Case(inventory, cluster, group, uses, used.incomplete).verdict()


class _Case:
    """One cluster and one resource group of its network."""

    def __init__(
        self,
        inventory: Inventory,
        cluster: Cluster,
        group: ResourceId,
        uses: list[SubnetUse],
        incomplete: Unread | None,
    ) -> None:
        self.inventory = inventory
        self.cluster = cluster
        self.group = group
        self.uses = uses
        self.incomplete = incomplete
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
            model, who, NETWORK_CONTRIBUTOR, self.group, at=at, operations=NEEDED, below=True, others=others
        )
        effects = self._on_subnets(model, who)
        self.more |= {"trace": letter.trace, "effect": letter.effect}
        denied = next((answer for decision in (*effects, letter) for answer in decision.denied), None)
        if denied is not None:
            return failed(
                "deny-assignment",
                "deny assignment {deny} keeps the identity of {cluster} from the network in {group}",
                *principal.how,
                deny=denied.deny.name or denied.deny.id,
                mend=Mend.by("a deny assignment comes from a deployment stack or a managed application: change that"),
                **self.more,
            )
        equivalent = access.decide(model, who, NEEDED, self.group, at=at, others=others)
        pieces = [piece for decision in effects for piece in decision.pieces]
        if access.Status.GRANTED in (letter.status, equivalent.status):
            # What is granted on the group reaches each subnet: what is open there is a denial that may apply.
            if pieces:
                return self._unknown(pieces[0], principal, letter)
            return self._granted(letter) if letter.status is access.Status.GRANTED else self._equivalent(equivalent)
        if all(decision.status is access.Status.GRANTED for decision in effects):
            return self._narrower(effects, principal, letter)
        if any(decision.missing for decision in effects):
            pieces = []  # a subnet that is certainly out of reach: what is open at others cannot rescue it
        pieces = [*letter.pieces, *equivalent.pieces, *pieces]
        if pieces:
            first = next((piece for piece in pieces if piece.reason != "condition"), pieces[0])
            return self._unknown(first, principal, letter)
        return self._lacking(letter, equivalent, principal)

    def _on_subnets(self, model: access.AccessModel, who: access.Principal) -> list[access.AccessDecision]:
        """What the identity may do on each subnet of the cluster in the group, by whatever grants it."""
        scopes = map(scope_of, (use.id for use in self.uses))
        return [
            access.decide(model, who, NEEDED, scope, at=self.inventory.taken_at)
            for scope in scopes
            if not isinstance(scope, Unread)
        ]

    def _unknown(self, piece: Unread, principal: ClusterPrincipal, letter: access.AccessDecision) -> Verdict:
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

    def _granted(self, letter: access.AccessDecision) -> Verdict:
        shown = grants_shown(letter)
        ends = ends_soon(self.inventory.taken_at, letter)
        if ends is not None:
            return warned(
                "grant-ends-soon",
                "the identity of {cluster} has Network Contributor on {group}, but only until {ends}",
                *shown,
                ends=ends,
                mend=RENEW,
                **self.more,
            )
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

    def _equivalent(self, equivalent: access.AccessDecision) -> Verdict:
        return warned(
            "equivalent-role",
            "the identity of {cluster} may use the network in {group} by {roles}, not by Network Contributor",
            *grants_shown(equivalent),
            roles=sorted(role.name for role in equivalent.roles),
            **self.more,
        )

    def _narrower(
        self, effects: list[access.AccessDecision], principal: ClusterPrincipal, letter: access.AccessDecision
    ) -> Verdict:
        scopes = {str(answer.assignment.scope) for decision in effects for answer in decision.granted}
        # A grant on the whole network covers the subnets that nobody could see; grants on the known ones do not.
        if self.incomplete is not None and any("/subnets/" in scope.casefold() for scope in scopes):
            return self._unknown(self.incomplete, principal, letter)
        return warned(
            "narrower-scope",
            "the identity of {cluster} may use its subnets in {group} by grants on {scopes}, not on the group",
            *(evidence for decision in effects for evidence in grants_shown(decision)),
            scopes=sorted(scopes),
            **self.more,
        )

    def _lacking(
        self, letter: access.AccessDecision, equivalent: access.AccessDecision, principal: ClusterPrincipal
    ) -> Verdict:
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
