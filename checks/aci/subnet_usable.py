"""The container group's subnet holds nothing else and lies in the group's region and subscription.

## What it checks
Each subnet that a container group is deployed into (or that the configuration names under `aci_subnets`): what else
uses it, where it lies, and how many addresses are left.

- fails if network interfaces, private endpoints, AKS nodes or another service's association link share the subnet; if
  a group lies in another subscription or region; or if no address is left;
- warns if less than a fifth of the addresses is left; if a group runs Windows or has a public address or DNS label,
  which are not supported in a network; if a peered network in another region holds a private endpoint of something that
  inference depends on;
- passes otherwise;
- is unknown where the subnet, its network, a group's region, a peer or the dependencies could not be read.

## Why it matters
Container Instances places a group only into a subnet that is its own. What once fitted fails at the next deployment.

## Not concerned
Container groups without a subnet: they are reached by a public address only.

## Limits
Azure keeps five addresses of each subnet, and each group takes one: more while a deployment replaces a group. The
service's own association link and network profile are normal. Delegation is `aci-subnet-delegated`.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    ContainerGroup,
    Evidence,
    InferenceSubnet,
    Inventory,
    Mend,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    VirtualNetwork,
    check,
    connected_peerings,
    endpoints_in,
    endpoints_of,
    failed,
    interfaces_in,
    key_of,
    network,
    network_id_of,
    network_of,
    not_applicable,
    passed,
    region_key,
    resource_name,
    subnet_addresses,
    subnets_of_group,
    unknown,
    warned,
    workspaces_at,
)

SERVICE = "microsoft.containerinstance/containergroups"
OWN_CONFIGURATIONS = ("/providers/microsoft.network/networkprofiles/", "/providers/microsoft.containerinstance/")
FEW = 0.2
"""The share of free addresses below which a subnet is nearly full (requirements 4.9)."""
ANOTHER = Mend.by(
    "create a subnet of its own for container groups in a network of their region and subscription, delegated to "
    "Container Instances, and deploy there"
)


def _mine(subject: ContainerGroup | InferenceSubnet, inventory: Inventory) -> bool:
    """Container groups without a readable subnet, and the subnets of all others."""
    if isinstance(subject, ContainerGroup):
        found = subnets_of_group(inventory, subject)
        return isinstance(found, Unread) or not found
    return SubnetRole.CONTAINER_GROUP in subject.roles


@check(
    id="aci-subnet-usable",
    severity=Severity.HIGH,
    source=Source(
        "ACI-VNET", "Virtual network limitations", "/container-instances/container-instances-virtual-network-concepts"
    ),
    mend=ANOTHER,
    clauses=("S18",),
    reads=(
        "microsoft.network/virtualnetworks",
        "microsoft.network/networkinterfaces",
        "microsoft.network/privateendpoints",
        "microsoft.network/networkprofiles",
        "microsoft.machinelearningservices/workspaces",
    ),
    where=_mine,
)
def subnet_usable(subject: ContainerGroup | InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(subject, ContainerGroup):
        yield _without_subnet(subject, inventory)
        return
    match subject.subnet:
        case Unread() as unread:
            yield unknown(
                "subnet-unread",
                "{subnet}, the subnet of {groups}, could not be read: {why}",
                related=[group.id for group in subject.groups],
                subnet=subject.name,
                groups=[group.name for group in subject.groups] or ["the configuration"],
                why=unread.why,
                hint=unread.hint,
            )
        case Subnet() as subnet:
            yield from _Place(subject, subnet, inventory).verdicts()


def _without_subnet(group: ContainerGroup, inventory: Inventory) -> Verdict:
    found = subnets_of_group(inventory, group)
    if isinstance(found, Unread):
        return unknown(
            "network-profile-unread",
            "the network profile of {group}, which names its subnet, could not be read: {why}",
            group=group.name,
            why=found.why,
            hint=found.hint,
        )
    return not_applicable(
        "no-vnet", "{group} lies in no virtual network", group.show("properties.subnetIds", None), group=group.name
    )


class _Place:
    """One subnet, the groups in it, and what is told of both."""

    def __init__(self, where: InferenceSubnet, subnet: Subnet, inventory: Inventory) -> None:
        self.where = where
        self.subnet = subnet
        self.inventory = inventory
        self.network = network_of(inventory, subnet)
        self.more: dict[str, Any] = {"related": [group.id for group in where.groups], "subnet": subnet.name}

    def verdicts(self) -> Iterator[Verdict]:
        """Everything that is wrong with the place, or one pass."""
        found = [*self._shared(), *self._elsewhere(), *self._room(), *self._unsupported()]
        found += self._far_dependencies()
        if found:
            yield from found
            return
        addresses = subnet_addresses(self.subnet)
        yield passed(
            "usable",
            "{subnet} holds container groups only, in their region and subscription, with addresses left",
            self.subnet.show("properties.addressPrefix", str(addresses)),
            self.subnet.show("properties.ipConfigurations", []),
            **self.more,
        )

    def _shared(self) -> Iterator[Verdict]:
        others = self._others()
        if others:
            yield failed(
                "shared",
                "{subnet} is used by {others} as well as by container groups",
                *others.values(),
                others=[resource_name(other) for other in others],
                **self.more,
            )
        links = [
            link.properties.linked_resource_type
            for link in self.subnet.body.service_association_links or ()
            if link.properties and key_of(link.properties.linked_resource_type or SERVICE) != SERVICE
        ]
        if links:
            yield failed(
                "other-service",
                "{subnet} is linked with {services}, not with Container Instances alone",
                self.subnet.show("properties.serviceAssociationLinks[].properties.linkedResourceType", links),
                services=links,
                **self.more,
            )

    def _others(self) -> dict[str, Evidence]:
        """What else lies in the subnet, each with the property that shows it."""
        found: dict[str, Evidence] = {}
        for reference in self.subnet.body.ip_configurations or ():
            if reference.id and not any(own in reference.id.casefold() for own in OWN_CONFIGURATIONS):
                owner = reference.id.rsplit("/ipConfigurations/", 1)[0]
                found.setdefault(owner, self.subnet.show("properties.ipConfigurations[].id", reference.id))
        for reference in self.subnet.body.private_endpoints or ():
            if reference.id:
                found.setdefault(reference.id, self.subnet.show("properties.privateEndpoints[].id", reference.id))
        for endpoint in endpoints_in(self.inventory, self.subnet.key):
            found.setdefault(endpoint.id, endpoint.show("properties.subnet.id", self.subnet.id))
        for nic in interfaces_in(self.inventory, self.subnet.key):
            path = "properties.ipConfigurations[].properties.subnet.id"
            found.setdefault(nic.id, nic.show(path, self.subnet.id))
        for cluster in self.where.clusters:
            found.setdefault(cluster.id, cluster.show("properties.agentPoolProfiles[].vnetSubnetID", self.subnet.id))
        return found

    def _elsewhere(self) -> Iterator[Verdict]:
        for group in self.where.groups:
            if group.subscription_id != self.subnet.subscription_id:
                yield failed(
                    "other-subscription",
                    "{subnet} lies in subscription {found}, {group} in {wanted}",
                    group.show("id", group.id),
                    self.subnet.show("id", self.subnet.id),
                    group=group.name,
                    found=self.subnet.subscription_id,
                    wanted=group.subscription_id,
                    **self.more,
                )
            home = None if isinstance(self.network, Unread) else self.network.location
            if not home or not group.location:
                lost = self.network if isinstance(self.network, Unread) else None
                yield unknown(
                    "region-unread",
                    "whether {subnet} lies in the region of {group} is not known: {why}",
                    group=group.name,
                    why=lost.why if lost else "a location is not in the data",
                    hint=lost.hint if lost else "collect again",
                    **self.more,
                )
            elif region_key(home) != region_key(group.location):
                yield failed(
                    "other-region",
                    "{subnet} lies in {found}, {group} in {wanted}",
                    group.show("location", group.location),
                    Evidence(network_id_of(self.subnet.id), "location", home),
                    group=group.name,
                    found=home,
                    wanted=group.location,
                    **self.more,
                )

    def _room(self) -> Iterator[Verdict]:
        addresses = subnet_addresses(self.subnet)
        if isinstance(addresses, Unread):
            yield unknown(
                "prefix-unread",
                "how many addresses {subnet} has is not known: {why}",
                why=addresses.why,
                hint=addresses.hint,
                **self.more,
            )
            return
        usable = network.usable(addresses)
        free = usable - len(self.where.groups)
        shown = self.subnet.show("properties.addressPrefix", str(addresses))
        facts = {"free": free, "usable": usable, "groups": len(self.where.groups)}
        if free < 1:
            yield failed(
                "full",
                "{subnet} has {usable} usable addresses for {groups} container groups: none is left",
                shown,
                mend=Mend.by("create a larger subnet, delegated to Container Instances, and deploy there"),
                **facts,
                **self.more,
            )
        elif free < FEW * usable:
            yield warned(
                "nearly-full",
                "{subnet} has {free} of {usable} usable addresses left",
                shown,
                mend=Mend.by("create a larger subnet, delegated to Container Instances, and deploy there"),
                **facts,
                **self.more,
            )

    def _unsupported(self) -> Iterator[Verdict]:
        for group in self.where.groups:
            address = group.body.ip_address
            if key_of(group.body.os_type or "") == "windows":
                yield warned(
                    "windows",
                    "{group} in {subnet} runs Windows, which is not supported in a network",
                    group.show("properties.osType", group.body.os_type),
                    group=group.name,
                    mend=Mend.by("deploy the group as Linux, or without a network"),
                    **self.more,
                )
            if address and (key_of(address.type or "") == "public" or address.dns_name_label):
                yield warned(
                    "public-address",
                    "{group} in {subnet} has a public address or a DNS label, which is not supported in a network",
                    group.show("properties.ipAddress.type", address.type),
                    group.show("properties.ipAddress.dnsNameLabel", address.dns_name_label),
                    group=group.name,
                    mend=Mend.by("deploy the group with a private address and publish it by an Application Gateway"),
                    **self.more,
                )

    def _far_dependencies(self) -> list[Verdict]:
        """Peers in another region that hold a private endpoint of something inference depends on."""
        if isinstance(self.network, Unread):
            return []
        workspaces = workspaces_at(self.inventory, self.where)
        targets = {
            target
            for workspace in workspaces
            for target in (
                workspace.body.container_registry, workspace.body.storage_account, workspace.body.key_vault
            )
            if target
        }  # fmt: skip
        homes = {
            key_of(network_id_of(endpoint.subnet_id)): endpoint
            for target in sorted(targets)
            for endpoint in endpoints_of(self.inventory, target)
            if endpoint.subnet_id
        }
        found: list[Verdict] = []
        for peering in connected_peerings(self.network):
            endpoint = homes.get(key_of(peering.remote_id or ""))
            peer = self.inventory.find(VirtualNetwork, peering.remote_id)
            far = _far(peer, self.network)
            facts = {"peer": resource_name(peering.remote_id or peering.id), **self.more}
            lost = far if isinstance(far, Unread) and endpoint else workspaces.missing if not endpoint and far else None
            if lost is not None:
                found.append(
                    unknown(
                        "peer-unread",
                        "whether {subnet} depends on something in {peer} that lies in another region is not known: "
                        "{why}",
                        why=lost.why,
                        hint=lost.hint,
                        **facts,
                    )
                )
            elif far is True and endpoint is not None and isinstance(peer, VirtualNetwork):
                found.append(
                    warned(
                        "global-peering",
                        "{subnet} would reach {endpoint} over a peering with {peer} in {region}, which Container "
                        "Instances do not support",
                        endpoint.show("properties.subnet.id", endpoint.subnet_id),
                        peer.show("location", peer.location),
                        endpoint=endpoint.name,
                        region=peer.location,
                        mend=Mend.by("put a private endpoint into a network of the same region"),
                        **facts,
                    )
                )
        return found


def _far(peer: VirtualNetwork | Unread, own: VirtualNetwork) -> bool | Unread:
    """Whether a peer lies in another region."""
    if isinstance(peer, Unread):
        return peer
    if not peer.location or not own.location:
        return Unread(peer.id, "a location is not in the data", "collect again")
    return region_key(peer.location) != region_key(own.location)
