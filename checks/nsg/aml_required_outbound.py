"""Azure ML's own services are reachable.

## What it checks
From each address of the subnet these pass the security admin rules, the group on the node interfaces and the group on
the subnet:

- TCP 443 to Azure ML, once for each workspace that a cluster in the subnet is attached to: the workspace's private
  endpoint where the network can use one and resolves its name privately, else the service tag `AzureMachineLearning`;
- TCP 443 to the tag `AzureMonitor`, for logs and metrics.

It passes where all of it is let through, by whatever rule names a tag, by default rules, or where nothing filters. It
warns where Azure Monitor is denied, where only the tag of the workspace's own region is allowed, and where literal
prefixes cover all of today's addresses (`frozen`). It fails where all or a part of Azure ML is denied. It is unknown
where the workspaces, or something that decides, could not be read, or where a private endpoint that was not read may
take the packets elsewhere.

## Why it matters
Azure ML's extension keeps a connection to its workspace: without it deployments neither arrive nor report back.

## Not concerned
Subnets without AKS nodes or pods, and clusters that no workspace's compute names.

## Limits
Azure ML's page lists further hosts by name; by tag they are Azure ML's, and Storage's (`nsg-storage-outbound`). Ports
that other kinds of computes need (8787, 18881, UDP 5831) are not judged. In China `AzureFrontDoor.FrontEnd` is not
needed.
"""

from collections.abc import Iterator

from auditor.api import (
    DOCUMENTED,
    HTTPS,
    Answer,
    DependencyClasses,
    Grade,
    InferenceSubnet,
    Inventory,
    Mend,
    Outcome,
    PacketClass,
    SecurityGroup,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    ask,
    ask_class,
    check,
    network,
    not_applicable,
    outbound_verdict,
    readable_subnet,
    regional_tag,
    subnet_group,
    unknown,
    workspace_classes,
    workspaces_at,
    worst,
)

RUNNING = {SubnetRole.NODE, SubnetRole.POD}
BY_ANY_TAG = DOCUMENTED | {network.How.BROAD}
Access, TCP, Tag = network.Access, network.Protocol.TCP, network.Tag
MONITOR = PacketClass("azure-monitor", "AzureMonitor", Tag("AzureMonitor"), HTTPS, TCP, Grade.ADVISED)


@check(
    id="nsg-aml-required-outbound",
    severity=Severity.MEDIUM,
    source=Source("AML-FW", "Kubernetes compute", "/machine-learning/how-to-access-azureml-behind-firewall"),
    mend=Mend.by(
        "let TCP 443 to the service tag named through all groups on the way, or give the workspace a private endpoint"
    ),
    clauses=("S22",),
    reads=(
        "microsoft.network/networksecuritygroups",
        "microsoft.network/virtualnetworks",
        "microsoft.network/privateendpoints",
        "microsoft.network/privatednszones",
        "microsoft.network/privatednszones/virtualnetworklinks",
        "microsoft.machinelearningservices/workspaces",
        "microsoft.machinelearningservices/workspaces/computes",
    ),
    where=lambda subject, inventory: bool(subject.roles & RUNNING),
)
def aml_required_outbound(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    match readable_subnet(where):
        case Unread(why=why, hint=hint):
            yield unknown("subnet-unread", "{subnet} could not be read: {why}", subnet=where.name, why=why, hint=hint)
        case subnet:
            yield from _services(where, subnet, inventory)


def _services(where: InferenceSubnet, subnet: Subnet, inventory: Inventory) -> Iterator[Verdict]:
    workspaces = workspaces_at(inventory, where)
    if not workspaces and workspaces.missing is None:
        yield not_applicable("no-workspace", "no workspace's compute names a cluster in {subnet}", subnet=where.name)
        return
    for dependency in workspace_classes(inventory, where, subnet):
        yield from _reached(inventory, where, subnet, dependency)
    if not workspaces and workspaces.missing is not None:
        yield unknown(
            "workspaces-unread",
            "which workspaces the clusters in {subnet} belong to could not be read: {why}",
            subnet=where.name,
            why=workspaces.missing.why,
            hint=workspaces.missing.hint,
        )
        return
    yield _verdict(inventory, where, subnet, MONITOR, MONITOR.slug, "AllowMonitor", Outcome.WARN)


def _reached(
    inventory: Inventory, where: InferenceSubnet, subnet: Subnet, dependency: DependencyClasses
) -> Iterator[Verdict]:
    for needed in dependency.classes:
        access = worst(ask_class(inventory, where, subnet, needed)).decision.access
        if dependency.rescue is not None and access in (Access.DENIED, Access.PARTIAL):
            yield unknown(
                "private-endpoint-unread",
                "Azure ML's public addresses are not open to {subnet}, and a private endpoint of {workspace} may lead "
                "there that could not be read: {why}",
                part=dependency.id,
                subnet=where.name,
                workspace=dependency.name,
                why=dependency.rescue.why,
                hint=dependency.rescue.hint,
            )
            continue
        own_region = access is Access.PARTIAL and _own_region_open(inventory, where, subnet, dependency)
        partial = Outcome.WARN if own_region else Outcome.FAIL
        yield _verdict(inventory, where, subnet, needed, dependency.id, "AllowAzureML", partial)
    if dependency.unread is not None:
        yield unknown(
            "workspace-unread",
            "where {subnet} must reach {workspace} could not be read: {why}",
            part=dependency.id,
            subnet=where.name,
            workspace=dependency.name,
            why=dependency.unread.why,
            hint=dependency.unread.hint,
        )


def _own_region_open(
    inventory: Inventory, where: InferenceSubnet, subnet: Subnet, dependency: DependencyClasses
) -> bool:
    """Whether the tag of the workspace's own region is open, though the tag as a whole is not."""
    if not dependency.where:
        return False
    tag = regional_tag(inventory, "AzureMachineLearning", dependency.where)
    answer: Answer = worst(ask(inventory, where, subnet, Tag(tag), HTTPS, TCP))
    return answer.decision.access is Access.ALLOWED


def _verdict(
    inventory: Inventory,
    where: InferenceSubnet,
    subnet: Subnet,
    needed: PacketClass,
    part: str | None,
    rule_name: str,
    partial: Outcome,
) -> Verdict:
    group = subnet_group(inventory, subnet)
    return outbound_verdict(
        inventory,
        ask_class(inventory, where, subnet, needed),
        needed,
        subnet=where.name,
        part=part,
        related=[part] if part and part.startswith("/") else [],
        group=group if isinstance(group, SecurityGroup) else None,
        rule_name=rule_name,
        documented=BY_ANY_TAG,
        partial=partial,
    )
