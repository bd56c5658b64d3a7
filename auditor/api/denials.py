"""What stops packets, or leaves their fate open, as facts of messages and commands: for both directions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from auditor.api.outbound import adding_rules, new_rules
from auditor.inventory import Inventory
from auditor.inventory.records import SecurityGroup
from auditor.network import Access, Decision, Direction
from auditor.values import Unread

ALLOW_IN = adding_rules(
    "allow it with a rule of better priority than the one that denies",
    (
        "az", "network", "nsg", "rule", "create", "-g", "{nsg_group}", "--nsg-name", "{nsg_name}",
        "-n", "{rule_name}", "--priority", "{priority}", "--direction", "Inbound", "--access", "Allow",
        "--protocol", "Tcp", "--source-address-prefixes", "{sources}", "--source-port-ranges", "*",
        "--destination-address-prefixes", "{destinations}", "--destination-port-ranges", "{ports}",
    ),
    "sources",
    "destinations",
)  # fmt: skip
"""For denials of TCP on the subnet's group; `{sources}`, `{destinations}` and `{ports}` are lists of facts."""

ALLOW_BETWEEN = adding_rules(
    "allow it in both directions with rules of better priority than the one that denies",
    (
        "az", "network", "nsg", "rule", "create", "-g", "{nsg_group}", "--nsg-name", "{nsg_name}",
        "-n", "{rule_name}", "--priority", "{priority}", "--direction", "{direction}", "--access", "Allow",
        "--protocol", "*", "--source-address-prefixes", "{sources}", "--source-port-ranges", "*",
        "--destination-address-prefixes", "{destinations}", "--destination-port-ranges", "*",
    ),
    "sources",
    "destinations",
)  # fmt: skip
"""For denials of any protocol on the subnet's group."""


def denial(decision: Decision) -> dict[str, Any]:
    """The rules that deny, and the smallest packet that they drop."""
    deciders = [d for part in decision.of(Access.DENIED) for d in part.deciders]
    return {"rule": sorted({str(decider) for decider in deciders}), "packet": str(decision.witness)}


def stopped(
    inventory: Inventory,
    decision: Decision,
    group: SecurityGroup | Unread | None,
    direction: Direction,
    rule_name: str,
    **sides: list[str] | None,
) -> dict[str, Any]:
    """The denial; with it, where one of its rules is the subnet's `group`'s, what a command needs that adds a rule of
    this name above all of them; `sides` are the lists of addresses that it takes.
    """
    deciders = [d for part in decision.of(Access.DENIED) for d in part.deciders]
    facts = denial(decision) | {"direction": str(direction)}
    if isinstance(group, SecurityGroup) and any(d.rule and d.group.casefold() == group.id.casefold() for d in deciders):
        worse = [d.rule.priority for d in deciders if d.rule and d.rule.priority is not None]
        facts |= new_rules(inventory, group, rule_name, min(worse, default=None), direction, **sides)
    return facts


def hangs_on(decisions: Iterable[Decision]) -> dict[str, Any]:
    """What keeps decisions open: the atoms, the rules that rest on them, and how to mend it."""
    unknowns = [unknown for decision in decisions for unknown in decision.unknowns]
    tagged = any("tag" in unknown.atom.kind for unknown in unknowns)
    hint = "scan with service tag data: live, or with --service-tags FILE"
    return {
        "atoms": sorted({str(unknown.atom) for unknown in unknowns}) or ["nothing that was asked about"],
        "rules": sorted({str(rule) for unknown in unknowns for rule in unknown.rules}) or ["no rule"],
        "hint": hint if tagged else "make readable what is named, or mend the rule that names it",
    }


def stoppers(decision: Decision) -> tuple[str, ...]:
    """The names of the groups in which packets are dropped."""
    names = {d.group.rsplit("/", 1)[-1] for part in decision.of(Access.DENIED) for d in part.deciders if d.rule}
    return tuple(sorted(name or "the security admin rules" for name in names))
