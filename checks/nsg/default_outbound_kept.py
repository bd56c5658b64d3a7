"""Default outbound rules are not undone.

## What it checks
Azure's default outbound rules cannot be deleted, only overridden. No custom outbound rule of the group on a subnet may
deny what they allow: traffic inside the virtual network, and to the Internet.

- passes without a custom outbound deny, or where earlier allows leave both fully open (a deny that is shadowed);
- warns where the Internet is denied but every required service stays reachable (`restricted-with-exceptions`), or
  where a deny takes away a part only, with the smallest packet that is dropped;
- fails where traffic between the subnet's own addresses is denied, or where the Internet is denied and a required
  service (registry, Microsoft's image registry, AKS's own) with it;
- is unknown where the group, or something that decides, could not be read.

## Why it matters
The source document asks to keep the default rules. Nodes pull images, ask Microsoft Entra ID and Azure Resource Manager
and talk to each other by them.

## Not concerned
Subnets without a group, and clusters that are meant to be shut in (`outboundType` block, or none with a cache).

## Limits
Default rules that are missing in a body are assumed, not removed: a short body is never a finding. Inbound denies do
not count. Names that AKS needs cannot be expressed in security rules, so a pass does not say that all egress works.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Answer,
    Cluster,
    InferenceSubnet,
    Inventory,
    Mend,
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
    deciding,
    effect_of,
    failed,
    network,
    network_isolated,
    not_applicable,
    passed,
    required_classes,
    rule_shown,
    rules_of,
    subnet_addresses,
    subnet_group,
    surroundings,
    trace_of,
    unknown,
    warned,
    worst,
)

SENDING = {SubnetRole.NODE, SubnetRole.POD, SubnetRole.CONTAINER_GROUP}
Access = network.Access
EVERYWHERE = {"*", "any", "internet", "0.0.0.0/0"}


@check(
    id="nsg-default-outbound-kept",
    severity=Severity.HIGH,
    source=Source(
        "AML-V1-INF", "Azure Kubernetes Service, step 5", "/machine-learning/v1/how-to-secure-inferencing-vnet"
    ),
    mend=Mend.by(
        "remove or narrow the rule that denies, or put allows for what is needed above it",
        ("az", "network", "nsg", "rule", "show", "-g", "{nsg_group}", "--nsg-name", "{nsg_name}", "-n", "{deny}"),
    ),
    clauses=("S9", "S22"),
    reads=("microsoft.network/networksecuritygroups", "microsoft.network/virtualnetworks"),
    where=lambda subject, inventory: bool(subject.roles & SENDING),
)
def default_outbound_kept(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(where.subnet, Unread):
        yield unknown(
            "subnet-unread",
            "{subnet} could not be read, nor which group it carries: {why}",
            subnet=where.name,
            why=where.subnet.why,
            hint=where.subnet.hint,
        )
        return
    group = subnet_group(inventory, where.subnet)
    if group is None:
        yield not_applicable("no-nsg", "no group lies on {subnet}", subnet=where.name)
        return
    if isinstance(group, Unread):
        yield unknown(
            "nsg-unread",
            "the group on {subnet} could not be read: {why}",
            about=where.subnet.security_group_id,
            part=where.id,
            subnet=where.name,
            why=group.why,
            hint=group.hint,
        )
        return
    yield _Case(inventory, where, where.subnet, group).verdict()


class _Case:
    """One group on one subnet."""

    def __init__(self, inventory: Inventory, where: InferenceSubnet, subnet: Subnet, group: SecurityGroup) -> None:
        self.inventory = inventory
        self.where = where
        self.subnet = subnet
        self.group = group
        self.more: dict[str, Any] = {
            "about": group.id,
            "part": where.id,
            "related": (where.id,),
            "group": group.name,
            "subnet": where.name,
            "nsg_name": group.name,
            "nsg_group": group.resource_group,
            "nsg_subscription": group.subscription_id,
        }

    def verdict(self) -> Verdict:
        if self.where.clusters and not self.where.groups and all(map(_meant_to_be_shut, self.where.clusters)):
            return not_applicable(
                "network-isolated", "the clusters in {subnet} are meant to have no way out", **self.more
            )
        denies = [
            rule
            for rule in rules_of(self.inventory, self.group).custom(network.Direction.OUTBOUND)
            if rule.access.strip().casefold() != "allow"
        ]
        if not denies:
            custom = len(self.group.rules)
            shown = self.group.show("properties.securityRules", f"{custom} rules, no outbound deny among them")
            return passed("no-custom-deny", "no custom rule of {group} denies outbound traffic", shown, **self.more)
        own = subnet_addresses(self.subnet)
        if isinstance(own, Unread):
            return unknown("subnet-unread", "{subnet}: {why}", why=own.why, hint=own.hint, **self.more)
        space = surroundings(self.inventory, self.subnet).virtual_network
        inside = self._ask(own)
        around = self._ask(space if space else own)
        internet = self._ask(network.Tag("Internet"))
        return self._decide(inside, around, internet, tuple(rule_shown(rule) for rule in denies))

    def _ask(self, destination: network.End) -> Answer:
        return worst(ask(self.inventory, self.where, self.subnet, destination, network.PortSet.any()))

    def _decide(self, inside: Answer, around: Answer, internet: Answer, denies: tuple[Any, ...]) -> Verdict:
        self.more |= {
            "trace": trace_of(internet, "the Internet"),
            "effect": effect_of([inside, around, internet]),
        }
        if inside.decision.access in (Access.DENIED, Access.PARTIAL):
            return self._failed(
                inside,
                "intra-cluster-denied",
                "{group} on {subnet} keeps the subnet's own addresses apart: {deny} drops {packet}",
            )
        access = (inside.decision.access, around.decision.access, internet.decision.access)
        if all(one is Access.ALLOWED for one in access):
            return passed(
                "denies-shadowed",
                "the outbound denies of {group} take nothing away from {subnet}: earlier rules allow all of it",
                *denies,
                **self.more,
            )
        if internet.decision.access is Access.DENIED or _denies_internet(internet):
            return self._restricted(internet)
        partial = next((a for a in (internet, around) if a.decision.access in (Access.PARTIAL, Access.DENIED)), None)
        if partial is not None:
            return self._partly(partial)
        undecided = next(a for a in (inside, around, internet) if a.decision.access is Access.UNDECIDED)
        return self._undecided(undecided, "what the default rules allow")

    def _facts(self, answer: Answer) -> dict[str, Any]:
        decision = answer.decision
        return {"deny": decision.rule.name if decision.rule else None, "packet": str(decision.witness)}

    def _failed(self, answer: Answer, reason: str, message: str, **facts: Any) -> Verdict:
        shown = deciding(answer.decision.parts)
        return failed(reason, message, *shown, **{**self._facts(answer), **facts}, **self.more)

    def _undecided(self, answer: Answer, what: str) -> Verdict:
        unknowns = answer.decision.unknowns
        return unknown(
            "undecided",
            "whether {group} on {subnet} still lets through {what} hangs on {atoms}",
            *deciding(answer.decision.parts),
            what=what,
            atoms=sorted({str(u.atom) for u in unknowns}),
            hint="make readable what is named, or scan with service tag data (--service-tags FILE)",
            **self.more,
        )

    def _required(self) -> tuple[list[tuple[str, Answer]], Unread | None]:
        classes, unread = required_classes(self.inventory, self.where, self.subnet)
        asked: list[tuple[str, Answer]] = []
        for needed in classes:
            answer = worst(ask_class(self.inventory, self.where, self.subnet, needed))
            if needed.somewhere and answer.decision.access is Access.PARTIAL:
                # The service has one address among these; which one, and so whether it is let through, DNS knows.
                why = f"the address of {needed.label} is not in ARM's data, and only a part of what it can be is open"
                hint = "allow the tag, or hold the address that its name resolves to against the rules"
                unread = unread or Unread(self.subnet.id, why, hint)
                continue
            asked.append((needed.label, answer))
        return asked, unread

    def _restricted(self, internet: Answer) -> Verdict:
        """The Internet is denied: the required services decide (S22)."""
        asked, unread = self._required()
        for label, answer in asked:
            if answer.decision.access in (Access.DENIED, Access.PARTIAL):
                return self._failed(
                    answer,
                    "required-service-denied",
                    "{group} on {subnet} denies the Internet, and {service} with it: {deny} drops {packet}",
                    service=label,
                )
        for label, answer in asked:
            if answer.decision.access is Access.UNDECIDED:
                return self._undecided(answer, label)
        if unread is not None:
            return unknown(
                "required-services-unread",
                "{group} on {subnet} denies the Internet; which services it must let through is not known: {why}",
                why=unread.why,
                hint=unread.hint,
                **self.more,
            )
        return warned(
            "restricted-with-exceptions",
            "{group} on {subnet} denies the Internet, but lets the required services through: {services}",
            *deciding(internet.decision.parts),
            services=[label for label, _ in asked],
            **self._facts(internet),
            **self.more,
        )

    def _partly(self, answer: Answer) -> Verdict:
        """Only a part is denied: a required service in it fails, else it is worth a look."""
        asked, _ = self._required()
        for label, required in asked:
            if required.decision.access is Access.DENIED:
                return self._failed(
                    required,
                    "required-service-denied",
                    "{group} on {subnet} denies a part of what the default rules allow, and {service} with it: "
                    "{deny} drops {packet}",
                    service=label,
                )
        return warned(
            "partial-deny",
            "{group} on {subnet} denies a part of what the default rules allow: {deny} drops {packet}",
            *deciding(answer.decision.parts),
            **self._facts(answer),
            **self.more,
        )


def _meant_to_be_shut(cluster: Cluster) -> bool:
    """Under the outbound type `block` AKS itself denies; `none` goes with a deny only where nothing is needed."""
    return cluster.outbound_type == "block" or network_isolated(cluster)


def _denies_internet(answer: Answer) -> bool:
    """Whether a rule that drops a part is meant for the Internet as a whole: then the rest are exceptions to it."""
    return any(
        decider.rule is not None
        and {text.casefold() for text in decider.rule.destinations} & EVERYWHERE
        and "*" in decider.rule.destination_ports
        for part in answer.decision.of(Access.DENIED)
        for decider in part.deciders
    )
