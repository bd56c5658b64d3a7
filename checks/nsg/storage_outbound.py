"""The storage behind registry and workspace is reachable.

## What it checks
TCP 443 from each address of the subnet passes the security admin rules, the group on the node interfaces and the group
on the subnet, to

- the storage that serves a registry's image layers: the service tag `Storage` of the registry's region and of each
  replica's, or the registry's private endpoint where there is one that the network can use;
- the storage account of each workspace (models, code, logs): the tag `Storage` of the account's region, or its private
  endpoint for blobs where the network can use one and resolves its name privately.

One verdict for each registry and each account. Without a known registry the own region is judged, and the verdict says
so.

- passes where all of it is let through, by whatever rule names a tag, by default rules, or where nothing filters;
- warns where literal prefixes cover all of today's addresses (`frozen`), where a rule for `AzureCloud` leaves out at
  most a fifth of the tag, or where layers are denied that a registry with data endpoints of its own may not need;
- fails where all or a part is denied;
- is unknown where registry, account, tag or group could not be read, or where a private endpoint that was not read may
  take the packets elsewhere.

## Why it matters
The login at the registry works, and the pull of the layers then hangs: they come from Storage. Without the workspace's
account there is no model to load.

## Not concerned
Subnets that nothing sends from (load balancers, API servers).

## Limits
An allow for `Storage` lets every account of the world be reached, not yours alone: a private endpoint, or a service
endpoint policy, is what keeps data in. The region that counts is the registry's, not the cluster's. File shares (TCP
445) are not judged: Kubernetes computes do not need them. Which addresses an account has is not published, so a part
that is denied counts.
"""

from collections.abc import Iterator

from auditor.api import (
    DOCUMENTED,
    Answer,
    DependencyClasses,
    Evidence,
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
    ask_class,
    check,
    network,
    outbound_verdict,
    readable_subnet,
    storage_classes,
    subnet_group,
    unknown,
    worst,
)

SENDING = {SubnetRole.NODE, SubnetRole.POD, SubnetRole.CONTAINER_GROUP}
BY_ANY_TAG = DOCUMENTED | {network.How.BROAD}
FEW = 0.2  # of a tag's addresses; the global Storage tag lies outside AzureCloud by 11 % (public) and 14 % (China)
Access = network.Access


@check(
    id="nsg-storage-outbound",
    severity=Severity.HIGH,
    source=Source("AML-FW", "Kubernetes compute", "/machine-learning/how-to-access-azureml-behind-firewall"),
    mend=Mend.by(
        "let TCP 443 to the service tag Storage of the region named through all groups on the way, or give registry "
        "and storage account private endpoints"
    ),
    clauses=("S3c", "S22"),
    reads=(
        "microsoft.network/networksecuritygroups",
        "microsoft.network/virtualnetworks",
        "microsoft.network/privateendpoints",
        "microsoft.network/privatednszones",
        "microsoft.network/privatednszones/virtualnetworklinks",
        "microsoft.containerregistry/registries",
        "microsoft.containerregistry/registries/replications",
        "microsoft.storage/storageaccounts",
        "microsoft.machinelearningservices/workspaces",
    ),
    where=lambda subject, inventory: bool(subject.roles & SENDING),
)
def storage_outbound(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    match readable_subnet(where):
        case Unread(why=why, hint=hint):
            yield unknown("subnet-unread", "{subnet} could not be read: {why}", subnet=where.name, why=why, hint=hint)
        case subnet:
            for dependency in storage_classes(inventory, where, subnet):
                yield from _reached(inventory, where, subnet, dependency)


def _reached(
    inventory: Inventory, where: InferenceSubnet, subnet: Subnet, dependency: DependencyClasses
) -> Iterator[Verdict]:
    group = subnet_group(inventory, subnet)
    related = [dependency.id] if dependency.id else []
    for needed in dependency.classes:
        answers = ask_class(inventory, where, subnet, needed)
        if dependency.rescue is not None and worst(answers).decision.access in (Access.DENIED, Access.PARTIAL):
            yield _hidden_endpoint(where, dependency, dependency.rescue)
            continue
        yield outbound_verdict(
            inventory,
            answers,
            needed,
            subnet=where.name,
            part=dependency.id,
            related=related,
            group=group if isinstance(group, SecurityGroup) else None,
            rule_name="AllowStorage",
            evidence=(*_everybodys(inventory, needed), *(() if dependency.id else (_assumed(subnet, needed),))),
            documented=BY_ANY_TAG,
            partial=Outcome.WARN if _only_few_left_out(worst(answers)) else Outcome.FAIL,
            serves=dependency.name,
        )
    if dependency.unread is not None:
        yield unknown(
            "storage-unread",
            "where {subnet} must reach {serves} could not be read: {why}",
            part=dependency.id,
            related=related,
            subnet=where.name,
            serves=dependency.name,
            why=dependency.unread.why,
            hint=dependency.unread.hint,
        )


def _hidden_endpoint(where: InferenceSubnet, dependency: DependencyClasses, rescue: Unread) -> Verdict:
    return unknown(
        "private-endpoint-unread",
        "the public addresses of {serves} are not open to {subnet}, and a private endpoint may lead there that could "
        "not be read: {why}",
        part=dependency.id,
        related=[dependency.id] if dependency.id else [],
        subnet=where.name,
        serves=dependency.name,
        why=rescue.why,
        hint=rescue.hint,
    )


def _only_few_left_out(answer: Answer) -> bool:
    """Whether a rule for a larger tag lets through all but a small part: `AzureCloud` nearly contains Storage."""
    decision = answer.decision
    if decision.access is not Access.PARTIAL or decision.symbolic or decision.allowed_by() != {network.How.BROAD}:
        return False
    whole = decision.destination.addresses
    denied = network.AddressSet.union(destinations for _, _, _, destinations, _ in decision.denied.boxes())
    return all(denied.size(family) <= FEW * whole.size(family) for family in denied.families)


def _everybodys(inventory: Inventory, needed: PacketClass) -> tuple[Evidence, ...]:
    """What an allow for the tag opens besides: the accounts of everybody, by which data can leave."""
    if not isinstance(needed.destination, network.Tag):
        return ()
    note = "holds the accounts of everybody, not yours alone: what may be sent there can leave"
    return (Evidence(f"/servicetags/{inventory.cloud}", "name", needed.label, note),)


def _assumed(subnet: Subnet, needed: PacketClass) -> Evidence:
    note = "no workspace names a registry: storage of the region here is judged in its place"
    return subnet.show("location", needed.label, note)
