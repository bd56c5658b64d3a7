"""Microsoft's image registry and its layers are reachable.

## What it checks
TCP 443 from each address of the subnet passes the security admin rules, the group on the node interfaces and the group
on the subnet, for both halves of Microsoft's image registry:

- manifests, by the service tag `MicrosoftContainerRegistry`;
- layers, by the service tag `AzureFrontDoor.FirstParty`, in clouds that have this tag (the public cloud).

Each half has a verdict of its own: with one of them denied manifests arrive and layers do not, or the other way round.

- passes where all of it is let through, by whatever rule, or where nothing filters;
- warns where only regional forms of the tag are allowed, since the registry is one global name, or where literal
  prefixes cover all of today's addresses (`frozen`);
- fails where all or a part is denied;
- is unknown where a tag, prefix or group that can change the answer could not be read or understood.

## Why it matters
Nodes fetch the images of Kubernetes' own components, and those of Azure ML's extension, from Microsoft's registry. A
new node without them never becomes ready.

## Not concerned
Subnets without AKS nodes or pods, and network isolated clusters that take these images from a registry of their own.

## Limits
`AzureCloud` covers the manifests, not the layers, in the public cloud. In China and Government the layers come through
a cache whose tags are not published (in China `*.data.mcr.azure.cn`): they are not judged there, and the verdict on the
manifests says so. Whether a next hop works is `route-required-services`.
"""

from collections.abc import Iterator

from auditor.api import (
    DOCUMENTED,
    Answer,
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
    bootstraps_from_cache,
    check,
    image_registry_classes,
    network,
    not_applicable,
    outbound_verdict,
    readable_subnet,
    subnet_group,
    unknown,
    worst,
)

RUNNING = {SubnetRole.NODE, SubnetRole.POD}
BY_ANY_TAG = DOCUMENTED | {network.How.BROAD}


@check(
    id="nsg-mcr-outbound",
    severity=Severity.HIGH,
    source=Source("AKS-OUT", "Microsoft Container Registry", "/aks/outbound-rules-control-egress"),
    mend=Mend.by(
        "let TCP 443 to Microsoft's image registry through all groups on the way: the manifests' tag, and in the "
        "public cloud the layers' tag as well"
    ),
    clauses=("S3a",),
    reads=("microsoft.network/networksecuritygroups", "microsoft.network/virtualnetworks"),
    where=lambda subject, inventory: bool(subject.roles & RUNNING),
)
def mcr_outbound(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if where.clusters and all(map(bootstraps_from_cache, where.clusters)):
        yield not_applicable(
            "network-isolated", "the clusters in {subnet} take images from a cache of their own", subnet=where.name
        )
        return
    match readable_subnet(where):
        case Unread(why=why, hint=hint):
            yield unknown("subnet-unread", "{subnet} could not be read: {why}", subnet=where.name, why=why, hint=hint)
        case subnet:
            yield from _halves(where, subnet, inventory)


def _halves(where: InferenceSubnet, subnet: Subnet, inventory: Inventory) -> Iterator[Verdict]:
    classes = image_registry_classes(inventory)
    group = subnet_group(inventory, subnet)
    for needed in classes:
        answers = ask_class(inventory, where, subnet, needed)
        yield outbound_verdict(
            inventory,
            answers,
            needed,
            subnet=where.name,
            part=needed.slug,
            group=group if isinstance(group, SecurityGroup) else None,
            rule_name="AllowImageRegistry" if needed.slug == "image-registry" else "AllowImageLayers",
            evidence=(_layers_unjudged(inventory),) if len(classes) == 1 else (),
            documented=BY_ANY_TAG,
            partial=Outcome.WARN if _regional_forms_only(worst(answers), needed) else Outcome.FAIL,
        )


def _regional_forms_only(answer: Answer, needed: PacketClass) -> bool:
    """Whether what is allowed is allowed by regional forms of the tag: the registry is one global name."""
    start = f"{needed.label}.".casefold()
    rules = [
        decider.rule
        for part in answer.decision.of(network.Access.ALLOWED)
        for decider in part.deciders
        if decider.rule is not None and not decider.rule.default
    ]
    return bool(rules) and all(any(text.casefold().startswith(start) for text in rule.destinations) for rule in rules)


def _layers_unjudged(inventory: Inventory) -> Evidence:
    note = "the layers' tag is not published for this cloud, so the layers are not judged"
    return Evidence(f"/servicetags/{inventory.cloud}", "name", "AzureFrontDoor.FirstParty is not among the tags", note)
