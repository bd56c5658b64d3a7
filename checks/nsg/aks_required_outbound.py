"""Entra ID, ARM, API server and tunnel are reachable.

## What it checks
From each address of the subnet these pass the security admin rules, the group on the node interfaces and the group on
the subnet, with a verdict each:

- TCP 443 to the service tags `AzureActiveDirectory` and `AzureResourceManager`;
- TCP 443 to the API server: its subnet with API server VNet integration, the private endpoint of a private cluster,
  else the tag `AzureCloud` of the cluster's region, where a public API server has one address that only DNS tells;
- the old tunnel to a public API server: UDP 1194 and TCP 9000, in China TCP 22 as well, to the same tag.

- passes where all of a class is let through, by whatever rule names a tag, by default rules, or where nothing filters;
- warns where the tunnel is denied, since current clusters use port 443 instead, and where literal prefixes cover all of
  today's addresses (`frozen`);
- fails where all or a part of Entra ID or Azure Resource Manager, or all that the API server can be, is denied;
- is unknown where a part is denied and the API server's address may lie in it, and where something that decides could
  not be read.

## Why it matters
A node that reaches no API server never joins; one without Entra ID and Azure Resource Manager cannot get tokens, disks
or load balancers.

## Not concerned
Subnets without AKS nodes or pods, and network isolated clusters (`outboundType` none or block, with a cache).

## Limits
AKS needs further hosts by name only (packages, node images), which security rules cannot express: a pass means that the
tags are open, not that all egress works. Microsoft advises against denying all in security groups of AKS subnets. UDP
123, which nodes from before March 2021 need, is not judged. Whether a next hop works is `route-required-services`.
"""

from collections.abc import Iterator

from auditor.api import (
    DOCUMENTED,
    InferenceSubnet,
    Inventory,
    Mend,
    PacketClass,
    SecurityGroup,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    ask_class,
    check,
    cluster_service_classes,
    deciding,
    effect_of,
    hidden_api_servers,
    network,
    network_isolated,
    not_applicable,
    outbound_verdict,
    readable_subnet,
    subnet_group,
    trace_of,
    unknown,
    worst,
)

RUNNING = {SubnetRole.NODE, SubnetRole.POD}
BY_ANY_TAG = DOCUMENTED | {network.How.BROAD}
RULE_NAMES = {"entra-id": "AllowEntraId", "resource-manager": "AllowResourceManager", "api-server": "AllowApiServer"}


@check(
    id="nsg-aks-required-outbound",
    severity=Severity.HIGH,
    source=Source("AKS-OUT", "Required outbound network rules", "/aks/outbound-rules-control-egress"),
    mend=Mend.by("let the class named through all groups on the way, with one rule for each tag"),
    clauses=("S3a",),
    reads=(
        "microsoft.network/networksecuritygroups",
        "microsoft.network/virtualnetworks",
        "microsoft.network/privateendpoints",
        "microsoft.network/networkinterfaces",
    ),
    where=lambda subject, inventory: bool(subject.roles & RUNNING),
)
def aks_required_outbound(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if where.clusters and all(map(network_isolated, where.clusters)):
        yield not_applicable(
            "network-isolated", "the clusters in {subnet} are meant to have no way out", subnet=where.name
        )
        return
    match readable_subnet(where):
        case Unread(why=why, hint=hint):
            yield unknown("subnet-unread", "{subnet} could not be read: {why}", subnet=where.name, why=why, hint=hint)
        case subnet:
            known = cluster_service_classes(inventory, where)
            for needed in (*known, *hidden_api_servers(inventory, where, subnet)):
                yield _reached(inventory, where, subnet, needed)


def _reached(inventory: Inventory, where: InferenceSubnet, subnet: Subnet, needed: PacketClass) -> Verdict:
    answers = ask_class(inventory, where, subnet, needed)
    answer = worst(answers)
    if needed.slug == "api-server" and needed.somewhere and answer.decision.access is network.Access.PARTIAL:
        return unknown(
            "api-server-address-unknown",
            "{subnet} reaches a part of what {service} can be ({rule} drops {packet}); whether its address lies in it "
            "is not in ARM's data",
            *deciding(answer.decision.parts),
            part=needed.slug,
            trace=trace_of(answer, needed.label),
            effect=effect_of(answers),
            subnet=where.name,
            service=needed.label,
            rule=str(answer.decision.rule),
            packet=str(answer.decision.witness),
            hint="resolve the cluster's fqdn and hold its address against the rules, or allow the tag",
        )
    group = subnet_group(inventory, subnet)
    return outbound_verdict(
        inventory,
        answers,
        needed,
        subnet=where.name,
        part=needed.slug,
        group=group if isinstance(group, SecurityGroup) else None,
        rule_name=RULE_NAMES.get(needed.slug) or f"AllowTunnel-{needed.ports.first()}",
        documented=BY_ANY_TAG,
    )
