"""The workspace is reachable privately from the cluster's VNet, and not publicly.

## What it checks
For each own virtual network in which clusters of the workspace infer: whether an approved private endpoint of the
workspace (group `amlworkspace`) lies in it or in a connected peer, whether its name resolves there, and
`publicNetworkAccess`, or where that is unset the older `allowPublicAccessWhenBehindVnet`. Of a project its hub's.

- passes with a usable endpoint whose name resolves privately, and public access off;
- warns without an endpoint (the workspace is then public, which is documented too), with public access beside the
  endpoint, and with an endpoint two peerings away;
- fails if public access is off and there is no endpoint, so that nobody can reach it; if the endpoint lies in a network
  that is not connected; and if its zone is not linked or holds no record;
- is unknown with custom DNS servers, or where something that decides could not be read.

## Why it matters
The extension on the cluster reports to the workspace and takes its deployments from there. Over the public network
that is a way in and out beside the virtual network; without any way deployments hang.

## Not concerned
Workspaces without an AKS cluster that infers in a network of one's own.

## Limits
The zone looked for is that of the workspace's API; the one for notebooks is not needed by the cluster. Whether custom
DNS servers forward to Azure cannot be seen. A network security perimeter's rules are not read. The command needs the
CLI extension `ml`, with which it is untested.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Dns,
    Evidence,
    InferenceNetwork,
    Inventory,
    Mend,
    PrivatePath,
    Reach,
    Severity,
    Source,
    Unread,
    Verdict,
    Workspace,
    check,
    computes_of_unread,
    failed,
    has_private_endpoint,
    inference_networks,
    managed_isolation,
    not_applicable,
    passed,
    private_path,
    resource_name,
    settings_of,
    unknown,
    warned,
    zone_name,
)

ACCESS = "properties.publicNetworkAccess"
OLDER = "properties.allowPublicAccessWhenBehindVnet"
CREATE = Mend.by(
    "create a private endpoint of the workspace for the group `amlworkspace` in the cluster's virtual network or in a "
    "peer (`az network private-endpoint create --group-id amlworkspace`), with its zones, links and zone group; then "
    "switch public access off"
)
LINK = Mend.by(
    "link the zone {zone} with the virtual network, and give the endpoint a zone group for it "
    "(`az network private-dns link vnet create`, `az network private-endpoint dns-zone-group create`)"
)
SHUT = Mend.by(
    "switch public access off",
    (
        "az", "ml", "workspace", "update", "-n", "{holder}", "-g", "{holder_group}",
        "--public-network-access", "Disabled",
    ),
)  # fmt: skip


@check(
    id="aml-workspace-private-endpoint",
    severity=Severity.HIGH,
    source=Source("AML-K8S-SEC", "Scenarios", "/machine-learning/how-to-secure-kubernetes-inferencing-environment"),
    mend=CREATE,
    reads=(
        "microsoft.machinelearningservices/workspaces/computes",
        "microsoft.containerservice/managedclusters",
        "microsoft.network/virtualnetworks",
        "microsoft.network/privateendpoints",
        "microsoft.network/privateendpoints/privatednszonegroups",
        "microsoft.network/privatednszones",
        "microsoft.network/privatednszones/virtualnetworklinks",
        "microsoft.network/privatednszones/a",
    ),
)
def workspace_private_endpoint(workspace: Workspace, inventory: Inventory) -> Iterator[Verdict]:
    facts: dict[str, Any] = {"workspace": workspace.name}
    reached = inference_networks(inventory, workspace)
    own = tuple(use for use in reached.networks if use.own)
    lost = next(iter(reached.unread), None) or computes_of_unread(inventory, workspace)
    if lost is not None:
        yield unknown(
            "clusters-unread",
            "not all clusters of {workspace} and their networks are known: {what}: {why}",
            what=lost.what,
            why=lost.why,
            hint=lost.hint,
            **facts,
        )
    elif not own:
        yield _without_network(workspace, inventory, facts)
    if own:
        yield from _decide(workspace, inventory, own, facts)


def _without_network(workspace: Workspace, inventory: Inventory, facts: dict[str, Any]) -> Verdict:
    reached = inference_networks(inventory, workspace)
    if reached.clusters:
        return not_applicable("managed-vnet", "AKS manages the networks of the clusters of {workspace}", **facts)
    if reached.idle:
        return not_applicable("no-inference", "no cluster of {workspace} infers", **facts)
    if managed_isolation(workspace):
        return not_applicable(
            "managed-network",
            "{workspace} has no AKS cluster; its own computes live in a network that Azure ML manages",
            **facts,
        )
    return not_applicable("no-cluster", "{workspace} has no AKS cluster", **facts)


def _decide(
    workspace: Workspace, inventory: Inventory, own: tuple[InferenceNetwork, ...], facts: dict[str, Any]
) -> Iterator[Verdict]:
    holder = settings_of(inventory, workspace)
    if isinstance(holder, Unread):
        yield unknown(
            "hub-unread",
            "the hub of {workspace}, whose private endpoints it uses, could not be read: {why}",
            why=holder.why,
            hint=holder.hint,
            **facts,
        )
        return
    facts |= {
        "holder": holder.name,
        "holder_group": holder.resource_group,
        "holder_subscription": holder.subscription_id,
    }
    has = has_private_endpoint(inventory, holder.id, holder.body.private_endpoint_connections)
    if isinstance(has, Unread):
        yield unknown(
            "endpoints-unread",
            "whether {workspace} has a private endpoint is not known: {why}",
            why=has.why,
            hint=has.hint,
            **facts,
        )
        return
    if not has:
        yield _without_endpoint(holder, facts)
        return
    for use in own:
        yield _Seen(inventory, holder, use, facts).verdict()


def _public(holder: Workspace, *, has_endpoint: bool) -> bool | Unread:
    """Whether the public network may reach a workspace; the newer switch wins over the older."""
    access = (holder.body.public_network_access or "").casefold()
    if access in ("enabled", "disabled"):
        return access == "enabled"
    if access:
        why = f"publicNetworkAccess is {holder.body.public_network_access}, whose rules are not read"
        return Unread(holder.id, why, "look at the access rules of the network security perimeter", "perimeter")
    older = holder.body.allow_public_access_when_behind_vnet
    if older is not None and has_endpoint:
        return older
    if not has_endpoint:
        return True
    why = "neither publicNetworkAccess nor allowPublicAccessWhenBehindVnet is in its data"
    return Unread(holder.id, why, "read the workspace through ARM", "public-access-unset")


def _without_endpoint(holder: Workspace, facts: dict[str, Any]) -> Verdict:
    shown = (
        holder.show(ACCESS, holder.body.public_network_access, "unset means Enabled without a private endpoint"),
        holder.show("properties.privateEndpointConnections", []),
    )
    if _public(holder, has_endpoint=False) is False:
        return failed(
            "closed-without-endpoint",
            "{workspace} has public access off and no approved private endpoint: no cluster can reach it",
            *shown,
            **facts,
        )
    return warned("no-endpoint", "{workspace} has no private endpoint: clusters reach it publicly", *shown, **facts)


class _Seen:
    """A workspace with an approved private endpoint, seen from one network."""

    def __init__(self, inventory: Inventory, holder: Workspace, use: InferenceNetwork, facts: dict[str, Any]) -> None:
        self.inventory = inventory
        self.holder = holder
        self.use = use
        self.more: dict[str, Any] = {
            "network": resource_name(use.id),
            "related": (use.id,),
            "zone": zone_name(inventory, "amlworkspace"),
            **facts,
        }

    def verdict(self) -> Verdict:
        network = self.use.network
        if isinstance(network, Unread):
            return self._unread("network-unread", network)
        connections = self.holder.body.private_endpoint_connections
        path = private_path(self.inventory, self.holder.id, "amlworkspace", network, connections)
        if path.reach in (Reach.USABLE, Reach.THROUGH_HUB):
            return self._resolved(path)
        if path.missing is not None:
            return self._unread("endpoint-unread", path.missing)
        shown = [path.endpoint.show("properties.subnet.id", path.endpoint.subnet_id)] if path.endpoint else []
        return failed(
            "endpoint-in-other-network",
            "the private endpoint of {workspace} lies in a network that {network} is not connected with",
            *shown,
            **self.more,
        )

    def _unread(self, reason: str, unread: Unread) -> Verdict:
        return unknown(
            reason,
            "whether {network} reaches {workspace} privately is not known: {what}: {why}",
            what=unread.what,
            why=unread.why,
            hint=unread.hint,
            **self.more,
        )

    def _resolved(self, path: PrivatePath) -> Verdict:
        shown = [path.endpoint.show("properties.subnet.id", path.endpoint.subnet_id)] if path.endpoint else []
        match path.dns:
            case Dns.NO_ZONE_LINK:
                return failed(
                    "dns",
                    "{network} could use the private endpoint of {workspace}, but is not linked to {zone}",
                    *shown,
                    mend=LINK,
                    **self.more,
                )
            case Dns.NO_RECORD | Dns.FALLS_BACK:
                return self._without_record(path, shown)
            case Dns.CUSTOM:
                return unknown(
                    "custom-dns",
                    "{network} could use the private endpoint of {workspace}, but has DNS servers of its own, whose "
                    "answers cannot be seen",
                    *shown,
                    hint="resolve the name of the workspace's API from a node of the cluster",
                    **self.more,
                )
            case Unread() as unread:
                return self._unread("dns-unread", unread)
            case Dns.PRIVATE | None:
                return self._private(path)

    def _without_record(self, path: PrivatePath, shown: list[Evidence]) -> Verdict:
        # A scan asks for records by name, and a workspace's host name is the endpoint's to tell.
        if path.endpoint is None or not path.endpoint.body.custom_dns_configs:
            return self._unread(
                "record-unseen",
                Unread(
                    self.holder.id,
                    "its host name is not in the endpoint's data, so its record may be unseen",
                    "resolve the name of the workspace's API from a node of the cluster",
                ),
            )
        return failed(
            "dns",
            "{network} is linked to {zone}, which holds no record of the private endpoint of {workspace}",
            *shown,
            mend=LINK,
            **self.more,
        )

    def _private(self, path: PrivatePath) -> Verdict:
        holder = self.holder
        shown = [holder.show(ACCESS, holder.body.public_network_access)]
        if path.endpoint is not None:
            shown.append(path.endpoint.show("properties.subnet.id", path.endpoint.subnet_id))
        if path.zone is not None:
            shown.append(path.zone.show("name", path.zone.name))
        if path.reach is Reach.THROUGH_HUB and path.missing is not None:
            return self._unread("endpoint-unread", path.missing)
        public = _public(holder, has_endpoint=True)
        if isinstance(public, Unread):
            return self._unread(public.reason, public)
        if public:
            return warned(
                "public-too",
                "{network} reaches {workspace} by its private endpoint, but the public network may reach it too",
                *shown,
                holder.show(OLDER, holder.body.allow_public_access_when_behind_vnet, "counts where the newer is unset"),
                mend=SHUT,
                **self.more,
            )
        if path.reach is Reach.THROUGH_HUB:
            return warned(
                "through-hub",
                "the private endpoint of {workspace} lies two peerings from {network}: it needs a router between",
                *shown,
                **self.more,
            )
        return passed(
            "private",
            "{network} reaches {workspace} by its private endpoint only, and resolves it by {zone}",
            *shown,
            **self.more,
        )
