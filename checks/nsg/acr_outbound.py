"""The registry is reachable through the outbound rules.

## What it checks
TCP 443 from each address of the subnet to the registry passes the security admin rules, the group on the node
interfaces and the group on the subnet. The registry's destination is its private endpoint where the network can use
one and nothing shows that its name still resolves to the public address, else the service tag `AzureContainerRegistry`
of its region and of each replica's. One verdict for each registry; without a known registry the cluster's own region is
judged, and the verdict says so.

- passes if a rule that names the tag (regional or global), a default rule or no group at all lets all of it through;
- warns if a custom rule for something larger does (`broad`), or literal prefixes that cover all of today's addresses
  (`frozen`);
- fails if all or a part of it is denied, with a packet and the rule that drops it;
- is unknown if a tag, prefix or group that can change the answer could not be read or understood.

## Why it matters
Nodes and container groups pull the model's image from the registry. When it becomes unreachable, running replicas go on
and every new one fails.

## Not concerned
Network isolated clusters (`outboundType` none or block, with a cache) for which no registry is known.

## Limits
A deny of better priority shadows the allow below it, whatever the allow says. The tag of another region does not help.
Network isolated clusters are judged as well: their cache holds what AKS needs, not the images of models. Layers come
from Storage unless the registry has data endpoints or a private endpoint: see `nsg-storage-outbound`.
Whether a next hop works is `route-required-services`.
"""

from collections.abc import Iterator

from auditor.api import (
    Evidence,
    InferenceSubnet,
    Inventory,
    Mend,
    PacketClass,
    RegistryClasses,
    SecurityGroup,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    ask_class,
    check,
    not_applicable,
    outbound_verdict,
    registry_classes,
    subnet_group,
    unknown,
)

SENDING = {SubnetRole.NODE, SubnetRole.POD, SubnetRole.CONTAINER_GROUP}


@check(
    id="nsg-acr-outbound",
    severity=Severity.CRITICAL,
    source=Source("AML-V1-INF", "Restrict outbound traffic", "/machine-learning/v1/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "let TCP 443 to the service tag AzureContainerRegistry of the registry's region through all groups on the way"
    ),
    clauses=("S22",),
    reads=(
        "microsoft.network/networksecuritygroups",
        "microsoft.network/virtualnetworks",
        "microsoft.network/privateendpoints",
        "microsoft.containerregistry/registries",
        "microsoft.containerregistry/registries/replications",
    ),
    where=lambda subject, inventory: bool(subject.roles & SENDING),
)
def acr_outbound(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(where.subnet, Unread):
        yield unknown(
            "subnet-unread",
            "{subnet} could not be read: {why}",
            subnet=where.name,
            why=where.subnet.why,
            hint=where.subnet.hint,
        )
        return
    known = registry_classes(inventory, where, where.subnet)
    if not known:
        yield not_applicable(
            "network-isolated", "the clusters in {subnet} need no way out, and no registry of theirs is known",
            subnet=where.name,
        )  # fmt: skip
    for registry in known:
        yield from _of_registry(where, where.subnet, inventory, registry)


def _of_registry(
    where: InferenceSubnet, subnet: Subnet, inventory: Inventory, registry: RegistryClasses
) -> Iterator[Verdict]:
    part = registry.use.id if registry.use else None
    group = subnet_group(inventory, subnet)
    for needed in registry.classes:
        yield outbound_verdict(
            inventory,
            ask_class(inventory, where, subnet, needed),
            needed,
            subnet=where.name,
            part=part,
            related=[part] if part else (),
            group=group if isinstance(group, SecurityGroup) else None,
            rule_name="AllowContainerRegistry",
            evidence=() if registry.use else (_assumed(subnet, needed),),
            registry=registry.name,
        )
    if registry.unread is not None:
        yield unknown(
            "registry-unread",
            "the registry that {subnet} pulls from, or one of its regions, could not be read: {why}",
            part=part,
            subnet=where.name,
            why=registry.unread.why,
            hint=registry.unread.hint,
        )


def _assumed(subnet: Subnet, needed: PacketClass) -> Evidence:
    note = "no workspace names a registry: the registry tag of the region here is judged in its place"
    return subnet.show("location", needed.label, note)
