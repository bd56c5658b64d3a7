"""The identities of a cluster (requirements 2.2): control plane for network rights, kubelet for pulling images."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, UserAssignedIdentity, key_of
from auditor.values import Evidence, Unread

MASKED = "00000000-0000-0000-0000-"
_GRANT_GRAPH = (
    "grant the scanning identity Application.Read.All on Microsoft Graph, or map the application id to its object id "
    "under [principals] in auditor.toml"
)


@dataclass(frozen=True, slots=True)
class ClusterPrincipal:
    """An identity by its object id; `kind` is `system-assigned`, `user-assigned`, `service-principal` or `kubelet`."""

    object_id: str
    kind: str
    how: tuple[Evidence, ...]

    @property
    def managed(self) -> bool:
        """Whether it is a managed identity."""
        return self.kind != "service-principal"


def control_plane(inventory: Inventory, cluster: Cluster) -> ClusterPrincipal | Unread:
    """The identity that joins subnets, writes load balancers, routes and DNS. Never the kubelet's."""
    found: ClusterPrincipal | Unread = inventory.remember(
        ("control-plane", cluster.key), lambda: _control_plane(inventory, cluster)
    )
    return found


def _control_plane(inventory: Inventory, cluster: Cluster) -> ClusterPrincipal | Unread:
    identity = cluster.identity
    kind = (identity.type or "").casefold() if identity else ""
    if identity and "systemassigned" in kind:
        return _checked(cluster, identity.principal_id, "system-assigned", "identity.principalId")
    if identity and "userassigned" in kind:
        return _user_assigned(inventory, cluster)
    profile = cluster.body.service_principal_profile
    application = (profile.client_id or "") if profile else ""
    if application.casefold() == "msi" or not application:
        return Unread(
            cluster.id,
            "the cluster's data show no identity",
            "grant Reader on the cluster and collect again",
            "identity-unreadable",
        )
    return _service_principal(inventory, cluster, application)


def _checked(cluster: Cluster, object_id: str | None, kind: str, path: str) -> ClusterPrincipal | Unread:
    if not object_id:
        return Unread(
            cluster.id, f"{path} is not in the cluster's data", "grant Reader and collect again", "identity-unreadable"
        )
    kubelet = _kubelet_entry(cluster)
    same = kubelet is not None and {kubelet[0].casefold(), kubelet[1].casefold()} == {object_id.casefold()}
    if object_id.startswith(MASKED) or same:
        return Unread(cluster.id, f"{path} is masked ({object_id})", "collect the cluster's data unmasked", "masked")
    return ClusterPrincipal(object_id, kind, (cluster.show(path, object_id),))


def _user_assigned(inventory: Inventory, cluster: Cluster) -> ClusterPrincipal | Unread:
    assigned = (cluster.identity.user_assigned_identities or {}) if cluster.identity else {}
    if len(assigned) != 1:
        return Unread(
            cluster.id,
            f"identity.userAssignedIdentities holds {len(assigned)} identities, not one",
            "grant Reader on the cluster and collect again",
            "identity-unreadable",
        )
    ((identity_id, entry),) = assigned.items()
    path = f"identity.userAssignedIdentities['{identity_id}'].principalId"
    if entry is not None and entry.principal_id:
        return _checked(cluster, entry.principal_id, "user-assigned", path)
    match inventory.find(UserAssignedIdentity, identity_id):
        case Unread() as unread:
            return Unread(
                identity_id,
                f"the cluster's data lack its principal id, and the identity could not be read: {unread.why}",
                unread.hint or f"grant Reader on {identity_id}",
                "identity-unreadable",
            )
        case record:
            checked = _checked(cluster, record.body.principal_id, "user-assigned", path)
            if isinstance(checked, Unread):
                return checked
            return ClusterPrincipal(
                checked.object_id, "user-assigned", (record.show("properties.principalId", checked.object_id),)
            )


def _service_principal(inventory: Inventory, cluster: Cluster, application: str) -> ClusterPrincipal | Unread:
    shown = cluster.show("properties.servicePrincipalProfile.clientId", application, "an application id")
    if application.startswith(MASKED):
        return Unread(cluster.id, f"servicePrincipalProfile.clientId is masked ({application})", "", "masked")
    configured = {key.casefold(): value for key, value in inventory.configured.principals.items()}
    object_id = configured.get(application.casefold())
    if object_id:
        how = Evidence(cluster.id, "auditor.toml [principals]", object_id, "object id from the configuration")
        return ClusterPrincipal(object_id, "service-principal", (shown, how))
    for principal in inventory.principals:
        if (principal.app_id or "").casefold() == application.casefold() and principal.object_id:
            how = Evidence(cluster.id, "servicePrincipals(appId).id", principal.object_id, "from Microsoft Graph")
            return ClusterPrincipal(principal.object_id, "service-principal", (shown, how))
    return Unread(
        application,
        "servicePrincipalProfile.clientId is an application id, and Microsoft Graph did not tell its object id",
        _GRANT_GRAPH,
        "graph-not-permitted",
    )


def _kubelet_entry(cluster: Cluster) -> tuple[str, str] | None:
    for name, entry in (cluster.body.identity_profile or {}).items():
        if name.casefold() == "kubeletidentity" and entry is not None and entry.object_id:
            return entry.object_id, entry.client_id or ""
    return None


def kubelet(inventory: Inventory, cluster: Cluster) -> ClusterPrincipal | Unread:
    """The identity that pulls images: the kubelet's, or the service principal on clusters that have one."""
    entry = _kubelet_entry(cluster)
    if entry is not None:
        object_id, client_id = entry
        if object_id.startswith(MASKED) or object_id.casefold() == client_id.casefold():
            return Unread(cluster.id, f"the kubelet identity is masked ({object_id})", "", "masked")
        path = "properties.identityProfile.kubeletidentity.objectId"
        return ClusterPrincipal(object_id, "kubelet", (cluster.show(path, object_id),))
    principal = control_plane(inventory, cluster)
    if isinstance(principal, ClusterPrincipal) and not principal.managed:
        return principal
    if isinstance(principal, Unread) and principal.reason == "graph-not-permitted":
        return principal
    return Unread(
        cluster.id,
        "identityProfile.kubeletidentity is not in the cluster's data",
        "grant Reader on the cluster and collect again",
        "identity-unreadable",
    )


def clusters_with(inventory: Inventory, object_id: str) -> tuple[Cluster, ...]:
    """The clusters whose control plane is this principal."""

    def index() -> dict[str, list[Cluster]]:
        found: dict[str, list[Cluster]] = {}
        for cluster in inventory.every(Cluster):
            principal = control_plane(inventory, cluster)
            if isinstance(principal, ClusterPrincipal):
                found.setdefault(key_of(principal.object_id), []).append(cluster)
        return found

    return tuple(inventory.remember("clusters-by-principal", index).get(key_of(object_id), ()))


KUBELET = "kubelet identity"
APPLICATION_ID = "application id"
CONTROL_PLANE = "control-plane identity"


def mistaken_for(inventory: Inventory, cluster: Cluster) -> dict[str, str]:
    """What is taken for the control plane's object id by mistake: kind of identity to its id."""
    found: dict[str, str] = {}
    node = kubelet(inventory, cluster)
    if isinstance(node, ClusterPrincipal) and node.kind == "kubelet":
        found[KUBELET] = node.object_id
    profile = cluster.body.service_principal_profile
    if profile and profile.client_id and profile.client_id.casefold() != "msi":
        found[APPLICATION_ID] = profile.client_id
    for entry in ((cluster.identity.user_assigned_identities or {}) if cluster.identity else {}).values():
        if entry and entry.client_id:
            found[APPLICATION_ID] = entry.client_id
    return found


def mistaken_for_kubelet(inventory: Inventory, cluster: Cluster) -> dict[str, str]:
    """What is taken for the kubelet's object id by mistake: kind of identity to its id."""
    found: dict[str, str] = {}
    principal = control_plane(inventory, cluster)
    if isinstance(principal, ClusterPrincipal) and principal.managed:
        found[CONTROL_PLANE] = principal.object_id
    entry = _kubelet_entry(cluster)
    if entry is not None and entry[1]:
        found[APPLICATION_ID] = entry[1]
    return found
