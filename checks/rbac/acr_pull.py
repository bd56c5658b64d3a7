"""The kubelet identity may pull from the workspace's registry.

## What it checks
For each registry that a cluster's workspaces name, and each one named under `registries` in the configuration: whether
the kubelet identity (on clusters with a service principal that one, else never the control-plane identity) holds the
right to pull. One verdict for each registry. What grants depends on the registry's `roleAssignmentMode`:

- classic mode: the action `Microsoft.ContainerRegistry/registries/pull/read`, by AcrPull or any role that holds it;
  Reader's `*/read` does;
- `AbacRepositoryPermissions`: the data actions `…/repositories/content/read` and `…/repositories/metadata/read`, by
  Container Registry Repository Reader; AcrPull is not honoured there.

It passes where the right is granted unconditionally; warns where, in classic mode, only anonymous pulling or the admin
user would serve, or where the grant ends within 14 days; fails where nothing grants it, and says so if the
control-plane identity holds the role instead; is unknown where the identity is masked or not in the data, assignments
that could grant were not read, a condition can hinder it, or the registry's mode could not be read and matters.

## Why it matters
A node that may not pull cannot start the image of a model. Running pods go on, and the next node, restart or
deployment fails with `ImagePullBackOff`.

## Not concerned
Clusters whose workspaces name no registry.

## Limits
It is the nodes' right that is judged, not whether a deployment will fail: in some modes Azure ML's extension pulls
with credentials of the workspace. A registry whose data lack `roleAssignmentMode` counts as classic, the service's
default. Whether the network lets the nodes through is judged by `nsg-acr-outbound` and `acr-network-path`.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    RENEW,
    Cluster,
    ClusterPrincipal,
    Inventory,
    Mend,
    Registry,
    RegistryUse,
    Severity,
    Source,
    Unread,
    Verdict,
    access,
    access_model,
    check,
    ends_soon,
    failed,
    grants_shown,
    kubelet,
    miss_reason,
    misses_shown,
    mistaken_for_kubelet,
    not_applicable,
    passed,
    registries_of,
    resource_name,
    scope_of,
    unknown,
    warned,
)

PULL = "Microsoft.ContainerRegistry/registries/pull/read"
PULL_DATA = (
    "Microsoft.ContainerRegistry/registries/repositories/content/read",
    "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
)
CLASSIC = ("", "legacyregistrypermissions")
BY_REPOSITORY = "abacrepositorypermissions"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
GRANT = (
    "az", "role", "assignment", "create", "--assignee-object-id", "{object_id}",
    "--assignee-principal-type", "ServicePrincipal",
)  # fmt: skip
ATTACH = Mend.by(
    "attach the registry to the cluster, or give AcrPull on it to the kubelet identity by its object id: either "
    "command does it",
    ("az", "aks", "update", "-g", "{resource_group}", "-n", "{name}", "--attach-acr", "{registry_id}"),
    (*GRANT, "--role", ACR_PULL, "--scope", "{registry_id}"),
)
ATTACH_BY_REPOSITORY = Mend.by(
    "the registry gives rights by repository: give the kubelet identity Container Registry Repository Reader on it, "
    "by its object id",
    (*GRANT, "--role", REPOSITORY_READER, "--scope", "{registry_id}"),
)


@check(
    id="rbac-acr-pull",
    severity=Severity.HIGH,
    source=Source("AKS-PERM", "Kubelet identity", "/aks/concepts-identity"),
    mend=ATTACH,
    reads=(
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/roledefinitions",
        "microsoft.authorization/denyassignments",
        "microsoft.containerregistry/registries",
        "microsoft.machinelearningservices/workspaces",
        "microsoft.machinelearningservices/workspaces/computes",
    ),
)
def acr_pull(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    uses = registries_of(inventory, cluster)
    for use in uses:
        yield _decide(inventory, cluster, use)
    if uses.missing is not None:
        yield unknown(
            "registries-unread",
            "{cluster} may depend on registries that are not known: {why}",
            part="further-registries",
            cluster=cluster.name,
            why=uses.missing.why,
            hint=uses.missing.hint,
        )
    elif not uses:
        yield not_applicable("no-registry", "no workspace of {cluster} names a registry", cluster=cluster.name)


def _decide(inventory: Inventory, cluster: Cluster, use: RegistryUse) -> Verdict:
    more: dict[str, Any] = {
        "part": use.id,
        "related": (use.id, *(why for why in use.why if why.startswith("/"))),
        "cluster": cluster.name,
        "registry": resource_name(use.id),
        "registry_id": use.id,
    }
    principal = kubelet(inventory, cluster)
    scope = scope_of(use.id)
    if isinstance(principal, Unread) or isinstance(scope, Unread):
        lost = principal if isinstance(principal, Unread) else scope
        assert isinstance(lost, Unread)
        return unknown(
            lost.reason,
            "whether the nodes of {cluster} may pull from {registry} is not known: {why}",
            why=lost.why,
            hint=lost.hint or "collect the cluster's data again, unmasked",
            **more,
        )
    asking = _Asking(inventory, cluster, principal, scope, use, more | {"object_id": principal.object_id})
    if isinstance(use.registry, Unread):
        return asking.in_either_mode(use.registry)
    mode = (use.registry.body.role_assignment_mode or "").casefold()
    if mode in CLASSIC:
        return asking.in_classic_mode(use.registry)
    if mode == BY_REPOSITORY:
        return asking.by_repository(use.registry)
    return asking.in_either_mode(
        Unread(use.id, f"its mode of permissions {mode!r} is not known here", "update the auditor", "mode-unknown")
    )


class _Asking:
    """What may one identity do on one registry?"""

    def __init__(
        self,
        inventory: Inventory,
        cluster: Cluster,
        principal: ClusterPrincipal,
        scope: access.Scope,
        use: RegistryUse,
        more: dict[str, Any],
    ) -> None:
        self.principal = principal
        self.more = more
        self.at = inventory.taken_at
        model = access_model(inventory)
        who = access.Principal(principal.object_id, "ServicePrincipal")
        others = mistaken_for_kubelet(inventory, cluster)
        self.classic = access.decide(model, who, PULL, scope, at=self.at, others=others)
        self.data = access.decide(model, who, PULL_DATA, scope, at=self.at, data=True, others=others)

    def in_classic_mode(self, registry: Registry) -> Verdict:
        decision = self.classic
        self.more |= {"trace": decision.trace, "effect": decision.effect}
        if decision.status is access.Status.GRANTED:
            return self._granted(decision)
        if decision.status is access.Status.UNDECIDED:
            return self._undecided(decision)
        if registry.body.anonymous_pull_enabled:
            return warned(
                "anonymous-pull-only",
                "the identity of {cluster}'s nodes has no right to pull from {registry}; anybody may, anonymously",
                registry.show("properties.anonymousPullEnabled", value=True),
                *misses_shown(decision),
                **self.more,
            )
        if registry.body.admin_user_enabled:
            return warned(
                "admin-user-only",
                "the identity of {cluster}'s nodes has no right to pull from {registry}; only the registry's admin "
                "user, by an image pull secret, would serve",
                registry.show("properties.adminUserEnabled", value=True),
                *misses_shown(decision),
                **self.more,
            )
        return self._lacking(decision, ATTACH)

    def by_repository(self, registry: Registry) -> Verdict:
        decision = self.data
        shown = registry.show("properties.roleAssignmentMode", registry.body.role_assignment_mode)
        self.more |= {"trace": decision.trace, "effect": decision.effect}
        if decision.status is access.Status.GRANTED:
            return self._granted(decision)
        if decision.status is access.Status.UNDECIDED:
            return self._undecided(decision)
        if decision.status is access.Status.MISSING and self.classic.status is access.Status.GRANTED:
            return failed(
                "acr-pull-not-honoured",
                "{registry} gives rights by repository, where {role} of the identity of {cluster}'s nodes counts for "
                "nothing",
                shown,
                *grants_shown(self.classic),
                role=sorted(role.name for role in self.classic.roles) or ["the role"],
                mend=ATTACH_BY_REPOSITORY,
                **self.more,
            )
        return self._lacking(decision, ATTACH_BY_REPOSITORY)

    def in_either_mode(self, unread: Unread) -> Verdict:
        """The registry's mode is not known: granted whichever it is, or unknown."""
        both = (self.classic, self.data)
        self.more |= {"trace": (*self.classic.trace, *self.data.trace)}
        if all(decision.status is access.Status.GRANTED for decision in both):
            return self._granted(*both)
        return unknown(
            "mode-unknown" if unread.reason == "mode-unknown" else "registry-unread",
            "whether the nodes of {cluster} may pull from {registry} is not known: by which permissions it goes could "
            "not be read: {why}",
            *self.principal.how,
            why=unread.why,
            hint=unread.hint,
            **self.more,
        )

    def _granted(self, *decisions: access.AccessDecision) -> Verdict:
        shown = tuple(evidence for decision in decisions for evidence in grants_shown(decision))
        ends = ends_soon(self.at, *decisions)
        if ends is not None:
            return warned(
                "grant-ends-soon",
                "the nodes of {cluster} may pull from {registry}, but only until {ends}",
                *shown,
                ends=ends,
                mend=RENEW,
                **self.more,
            )
        return passed(
            "granted",
            "the nodes of {cluster} may pull from {registry}, by {role}",
            *shown,
            role=sorted({role.name for decision in decisions for role in decision.roles}) or ["the role shown"],
            **self.more,
        )

    def _undecided(self, decision: access.AccessDecision) -> Verdict:
        piece = decision.pieces[0]
        return unknown(
            piece.reason,
            "whether the nodes of {cluster} may pull from {registry} is not known: {what}: {why}",
            *self.principal.how,
            *misses_shown(decision),
            what=piece.what,
            why=piece.why,
            hint=piece.hint,
            **self.more,
        )

    def _lacking(self, decision: access.AccessDecision, mend: Mend) -> Verdict:
        if decision.denied:
            denied = decision.denied[0]
            return failed(
                "deny-assignment",
                "deny assignment {deny} forbids the nodes of {cluster} to pull from {registry}",
                *self.principal.how,
                deny=denied.deny.name or denied.deny.id,
                mend=Mend.by("a deny assignment comes from a deployment stack or a managed application: change that"),
                **self.more,
            )
        shown = misses_shown(decision)
        return failed(
            miss_reason(decision),
            "the identity of {cluster}'s nodes has no right to pull from {registry}; there is instead: {instead}",
            *self.principal.how,
            *shown,
            instead=[evidence.note for evidence in shown] or ["nothing that comes near"],
            mend=mend,
            **self.more,
        )
