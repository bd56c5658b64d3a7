"""Rich estates on which checks pass, and a few sick ones: what the generated tests take apart.

Each estate gives a pass to a good part of the checks, all of them together to every check. `bodies()` gives an estate
as raw ARM rows, which the tests then bend.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from auditor.inventory import Builder, Configured, Header, Inventory
from auditor.values import Gap
from tests.estate import (
    ACI,
    ACR_PULL,
    CONTRIBUTOR,
    CONTROL,
    KUBELET,
    NETWORK_CONTRIBUTOR,
    NOW,
    REGION,
    SUB,
    TENANT,
    Body,
    Thing,
    allow_in,
    allow_out,
    arm,
    attached,
    balancer,
    cluster,
    compute,
    container_group,
    deny_in,
    deny_out,
    extension,
    firewall,
    frontend,
    grant,
    nat,
    nsg,
    peering,
    pool,
    private_endpoint,
    private_zone,
    public_ip,
    registry,
    replication,
    rg,
    role,
    route,
    rows,
    service_tags,
    storage,
    subnet,
    subscription,
    table,
    vault,
    vnet,
    workspace,
)

ADA = "77777777-0000-4000-8000-000000000001"
AKS = "Microsoft.ContainerService/managedClusters"
ZONE_CONTRIBUTOR = "b12aa53e-6015-4669-85d0-8515ebb3ae7f"
ACR_PULL_ACTIONS = ("Microsoft.ContainerRegistry/registries/pull/read",)


@dataclass(frozen=True)
class Estate:
    """Raw rows, what of the subscription could not be read, and what a person configured."""

    rows: tuple[Body, ...]
    gaps: tuple[Gap, ...] = ()
    configured: Configured = field(default_factory=Configured)

    def bodies(self) -> list[Body]:
        """The rows, to be bent without harm to the estate."""
        return copy.deepcopy(list(self.rows))

    def inventory(self, bodies: Iterable[Body] | None = None, gaps: Iterable[Gap] = ()) -> Inventory:
        """What the engine makes of these rows (of the estate's own where none are given) and gaps."""
        builder = Builder(configured=self.configured)
        builder.header = Header(NOW, "public", TENANT, (f"/subscriptions/{SUB}",), (*self.gaps, *gaps))
        for number, body in enumerate(self.rows if bodies is None else bodies, 1):
            builder.add(json.dumps(body).encode(), "estate", number)
        return builder.build(now=NOW)


def _estate(*things: Thing | Iterable[Thing], configured: Configured | None = None) -> Estate:
    bodies, gaps = rows(*things)
    return Estate(tuple(bodies), tuple(gaps), configured or Configured())


TAGS = service_tags(
    AzureContainerRegistry=["20.1.0.0/16", "20.2.0.0/16"],
    AzureContainerRegistry__EastUS2=["20.1.0.0/16"],
    AzureContainerRegistry__WestEurope=["20.2.0.0/16"],
    MicrosoftContainerRegistry=["20.3.0.0/16"],
    AzureFrontDoor__FirstParty=["20.4.0.0/16"],
    Storage=["20.5.0.0/16", "20.6.0.0/16"],
    Storage__EastUS2=["20.5.0.0/16"],
    Storage__WestEurope=["20.6.0.0/16"],
    AzureActiveDirectory=["20.7.0.0/16"],
    AzureResourceManager=["20.8.0.0/16"],
    AzureMachineLearning=["20.9.0.0/16"],
    AzureMachineLearning__EastUS2=["20.9.1.0/24"],
    AzureMachineLearning__CentralUS=["20.9.2.0/24"],
    BatchNodeManagement__EastUS2=["20.10.0.0/16"],
    AzureCloud=["20.0.0.0/9"],
    AzureCloud__eastus2=["20.96.0.0/12"],
    AzureMonitor=["20.11.0.0/16"],
    AzureKeyVault=["20.12.0.0/16"],
)
FENCE = (
    allow_out(100, to="AzureContainerRegistry", ports="443", protocol="Tcp", name="registry"),
    allow_out(110, to="MicrosoftContainerRegistry", ports="443", protocol="Tcp", name="mcr"),
    allow_out(120, to="AzureFrontDoor.FirstParty", ports="443", protocol="Tcp", name="layers"),
    allow_out(130, to="Storage.EastUS2", ports="443", protocol="Tcp", name="storage"),
    deny_out(3000, to="52.1.2.0/24", name="not-there"),
    allow_in(200, of="10.0.0.0/16", ports="443", protocol="Tcp", name="scoring"),
    deny_in(3000, of="Internet", name="no-internet"),
)
PRIVATE_ZONES = {
    "registry": "privatelink.azurecr.io",
    "blob": "privatelink.blob.core.windows.net",
    "file": "privatelink.file.core.windows.net",
    "vault": "privatelink.vaultcore.azure.net",
    "amlworkspace": "privatelink.api.azureml.ms",
}


def private_flat() -> Estate:
    """A private flat cluster behind an internal load balancer; everything the workspace uses by private endpoints."""
    net_id = arm("net", "Microsoft.Network/virtualNetworks", "net")
    nodes = subnet("nodes", "10.0.0.0/22", nsg=nsg("fence", *FENCE))
    pods = subnet("pods", "10.0.16.0/20", nsg=nsg("fence", *FENCE), delegated_to=AKS)
    api = subnet("api", "10.0.200.0/27", delegated_to=AKS)
    ilb = subnet("ilb", "10.0.32.0/24")
    ends = subnet("ends", "10.0.40.0/24", nsg=nsg("door", allow_in(100, of="VirtualNetwork", name="inside")),
                  privateEndpointNetworkPolicies="Enabled")  # fmt: skip
    hub = vnet("hub", subnet("edge", "10.60.0.0/24", vnet="hub"), prefixes=["10.60.0.0/16"])
    network = vnet("net", nodes, pods, api, ilb, ends, prefixes=["10.0.0.0/16"], peerings=[peering(hub)])
    images, models, secrets = registry(publicNetworkAccess="Disabled"), storage(), vault()
    space = workspace(registry=images, storage=models, vault=secrets, publicNetworkAccess="Disabled",
                      imageBuildCompute="builder")  # fmt: skip
    zone = private_zone("privatelink.eastus2.azmk8s.io", net_id, group="dns")
    doors = []
    for number, (group, target) in enumerate(
        [("registry", images), ("blob", models), ("file", models), ("vault", secrets), ("amlworkspace", space)], 4
    ):
        address = f"10.0.40.{number}"
        name = target.id.rsplit("/", 1)[-1]
        names = (name, f"{name}.{REGION}.data") if group == "registry" else (name,)
        linked = private_zone(PRIVATE_ZONES[group], net_id, records=dict.fromkeys(names, address))
        doors.append(
            private_endpoint(f"pe-{group}", to=target, into=ends, group_id=group, address=address, zone=linked)
        )
    ml = cluster(
        pools=[pool(nodes, pods=pods, name="system", count=2, enableAutoScaling=True, minCount=1, maxCount=5,
                    upgradeSettings={"maxSurge": "33%"})],
        network={"networkPluginMode": None, "podCidr": None, "podCidrs": None,
                 "dockerBridgeCidr": "172.17.0.1/16"},
        api_server={"privateDNSZone": zone.id, "enablePrivateClusterPublicFQDN": False},
        fqdn=None,
        identity="user",
        parts=[nodes, pods],
    )  # fmt: skip
    router = balancer("kubernetes-internal", frontend("router", inside=ilb, address="10.0.32.4"), probes=[31000])
    v2 = compute(ml, of=space)
    tls = extension(
        ml, settings={"sslSecret": "azureml/tls", "sslCname": "score.example", "allowInsecureConnections": "False"}
    )
    everything = rg("net")
    rights = [
        grant(on=everything), grant(on=zone, role=ZONE_CONTRIBUTOR), grant(KUBELET, ACR_PULL, on=images),
        grant(ADA, CONTRIBUTOR, on=everything, kind="User"),
        role(NETWORK_CONTRIBUTOR, "Microsoft.Network/*", name="Network Contributor", builtin=True),
        role(ACR_PULL, *ACR_PULL_ACTIONS, name="AcrPull", builtin=True),
        role("dddddddd-0000-4000-8000-000000000001", "Microsoft.Network/virtualNetworks/subnets/join/action",
             "Microsoft.Network/virtualNetworks/subnets/read", name="Subnet user"),
    ]  # fmt: skip
    return _estate(
        network, hub, ml, router, v2, tls, doors, zone, rights, TAGS, subscription(SUB, "corp"),
        configured=Configured(deployers=(ADA,), scoring_addresses=("10.0.32.4",), scoring_clients=("10.0.32.0/24",)),
    )  # fmt: skip


def firewalled_kubenet() -> Estate:
    """A private kubenet cluster with a v1 compute; all egress by a route to a firewall in the hub."""
    hub_id = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
    outlet = subnet("AzureFirewallSubnet", "10.9.0.0/26", vnet="hub", group="hub")
    hub = vnet("hub", outlet, group="hub", prefixes=["10.9.0.0/16"])
    way = table(
        "rt", route("0.0.0.0/0", "VirtualAppliance", "10.9.0.4"),
        *(route(f"192.168.{n}.0/24", "VirtualAppliance", f"10.0.0.{4 + n}") for n in range(3)), no_bgp=True,
    )  # fmt: skip
    nodes = subnet("nodes", "10.0.0.0/24", table=way, nsg=nsg("open"))
    network = vnet("net", nodes, prefixes=["10.0.0.0/16"], peerings=[peering(hub_id)])
    ml = cluster(
        nodes=nodes,
        network={"networkPlugin": "kubenet", "networkPluginMode": None, "outboundType": "userDefinedRouting"},
        api_server={"enablePrivateClusterPublicFQDN": False}, fqdn=None, identity="user",
    )  # fmt: skip
    zone = private_zone("4fe5.privatelink.eastus2.azmk8s.io", network.id, group="mc")
    images = registry("images2")
    space = workspace("ws2", registry=images)
    router = balancer("kubernetes-internal", frontend("router", inside=nodes, address="10.0.0.200"))
    v1 = compute(ml, of=space, kind="AKS", settings={
        "loadBalancerType": "InternalLoadBalancer", "loadBalancerSubnet": "nodes",
        "sslConfiguration": {"status": "Enabled"},
    })  # fmt: skip
    rights = [grant(on=rg("net")), grant(KUBELET, ACR_PULL, on=rg("ml"))]
    return _estate(
        network, hub, firewall(into=outlet, address="10.9.0.4", group="hub"), ml, zone, router, v1, rights, TAGS
    )


def public_overlay() -> Estate:
    """A public overlay cluster with authorized ranges and API server VNet integration, egress by a NAT gateway."""
    nodes = subnet("nodes", "10.0.0.0/24", nsg=nsg("fence", *FENCE), nat=nat())
    api = subnet("api", "10.0.1.0/28", delegated_to=AKS)
    network = vnet("net", nodes, api, prefixes=["10.0.0.0/16"], dns=["10.0.0.100"])
    ml = cluster(
        nodes=nodes, private=None, network={"outboundType": "userAssignedNATGateway"},
        api_server={"authorizedIPRanges": ["20.9.0.0/16"], "enableVnetIntegration": True, "subnetId": api.id},
        parts=[api],
    )  # fmt: skip
    images = registry("images3", sku="Standard")
    router = balancer("kubernetes-internal", frontend("router", inside=nodes, address="10.0.0.200"))
    out = balancer("kubernetes", frontend("out", public=public_ip("out", "20.60.0.9"), ports=(), outbound=True))
    rights = [grant(on=rg("net")), grant(KUBELET, ACR_PULL, on=images)]
    return _estate(
        network, ml, attached(ml, registry=images), replication(images, "westeurope"), router, out, rights, TAGS
    )


def container_groups() -> Estate:
    """Container groups in a subnet of their own, in the workspace's resource group, behind a NAT gateway."""
    into = subnet("aci", "10.0.0.0/24", vnet="aci", group="ml", delegated_to=ACI, nat=nat(), nsg=nsg("open"))
    space = workspace(registry=registry())
    group = container_group(into=into, tags={"ml-workspace": "ws"})
    return _estate(vnet("aci", into, group="ml", prefixes=["10.0.0.0/16"]), space, group, TAGS)


HEALTHY: dict[str, Callable[[], Estate]] = {
    made.__name__.replace("_", "-"): made
    for made in (private_flat, firewalled_kubenet, public_overlay, container_groups)
}


def sick() -> Estate:
    """Two clusters on which a good part of the checks fails or warns: nothing taken away may turn that green."""
    nodes = subnet("nodes", "10.0.0.0/27", delegated_to=ACI, nsg=nsg(
        "fence", allow_out(100, to="Storage.EastUS2", ports="443"), allow_out(4000, to="AzureContainerRegistry"),
        deny_out(104, to="AzureContainerRegistry.EastUS2"), deny_out(110, to="Internet"),
        deny_in(120, of="VirtualNetwork"), deny_in(130, of="AzureLoadBalancer"), deny_out(140, to="VirtualNetwork"),
    ), table=table("rt", route("0.0.0.0/0", "None"), route("20.1.0.0/16", "Internet")))  # fmt: skip
    hub = vnet("hub", subnet("edge", "172.20.5.0/24", vnet="hub"), prefixes=["172.20.0.0/16"])
    network = vnet("net", nodes, prefixes=["10.0.0.0/16"], peerings=[peering(hub)], region="westeurope")
    kubenet = {"networkPlugin": "kubenet", "networkPluginMode": None}
    ml = cluster(
        "ml", nodes=nodes, private=None, kubelet=KUBELET,
        network={**kubenet, "dnsServiceIP": "172.20.0.1", "dockerBridgeCidr": "10.0.0.9/24"},
        api_server={"authorizedIPRanges": ["52.0.0.0/24"]}, currentKubernetesVersion="1.18.2",
        addonProfiles={"httpApplicationRouting": {"enabled": True}},
    )  # fmt: skip
    twin = cluster("twin", nodes=nodes, node_group="mc2", network={**kubenet, "serviceCidr": "172.30.0.0/16",
                                                                  "serviceCidrs": None})  # fmt: skip
    images = registry("images", sku="Premium", publicNetworkAccess="Disabled")
    space = workspace(registry=images, storage=storage(), vault=vault())
    open_door = balancer("kubernetes", frontend("score", public=public_ip("score")))
    groups = container_group(into=subnet("jobs", "10.5.0.0/24", vnet="aci", group="elsewhere"))
    typo = role("dddddddd-0000-4000-8000-000000000002", "Microsoft.Network/virtualNetworks/subnet/join/action")
    return _estate(
        network, hub, ml, twin, images, space, open_door, groups, typo, TAGS,
        compute(ml, of=space), extension(ml, settings={"internalLoadBalancerProvider": None}),
        compute(twin, of=space, kind="AKS", name="old", settings={"loadBalancerType": "PublicIp"}),
        compute(arm("aks", AKS, "gone"), of=space, name="k8s-old"),
        grant(KUBELET, on=rg("net")), grant(CONTROL, ACR_PULL, on=images),
        configured=Configured(deployers=(ADA,)),
    )  # fmt: skip


ESTATES: dict[str, Callable[[], Estate]] = {**HEALTHY, "sick": sick}
