"""One form for all outbound rules (requirements 4.6): a decision about a class of packets becomes a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, count
from typing import Any

from auditor.api.verdicts import Mend, Verdict, failed, passed, unknown, warned
from auditor.derive.services import Grade, PacketClass, worst
from auditor.derive.tags import tag_source
from auditor.derive.traffic import Answer
from auditor.inventory import Inventory
from auditor.inventory.records import SecurityGroup
from auditor.network import (
    FIRST_PRIORITY,
    LAST_PRIORITY,
    Access,
    AddressSet,
    Decision,
    Direction,
    How,
    Part,
    SecurityRule,
    Tag,
)
from auditor.values import Effect, Evidence, Outcome, TraceStep

DOCUMENTED = frozenset(
    {
        How.NAMED_TAG, How.GLOBAL_TAG, How.DEFAULT_RULE, How.NO_GROUP, How.ADMIN_RULE, How.PLATFORM,
        How.FALLS_THROUGH,
    }
)  # fmt: skip
"""Ways of being allowed that are as documented; the others work, but break or leak on their own one day."""

PREFIX_LIMIT = 4000
"""Addresses and ranges that ARM takes for one side of a security rule."""


def adding_rules(summary: str, argv: tuple[str, ...], *sides: str) -> Mend:
    """A mend by the command that adds a rule, and its twin for IPv6: ARM takes no rule with prefixes of both families.

    `sides` are the facts that hold addresses; the twin takes its own, and its name and priority, from `new_rules`.
    """
    apart = {f"{{{name}}}": f"{{{name}_6}}" for name in ("rule_name", "priority", *sides)}
    return Mend.by(summary, argv, tuple(apart.get(word, word) for word in argv))


ALLOW_TAG = adding_rules(
    "allow the service tag with a rule of better priority than the one that denies",
    (
        "az", "network", "nsg", "rule", "create", "-g", "{nsg_group}", "--nsg-name", "{nsg_name}",
        "-n", "{rule_name}", "--priority", "{priority}", "--direction", "Outbound", "--access", "Allow",
        "--protocol", "{protocol}", "--source-address-prefixes", "VirtualNetwork", "--source-port-ranges", "*",
        "--destination-address-prefixes", "{tag}", "--destination-port-ranges", "{port}",
    ),
    "tag",
)  # fmt: skip
ALLOW_ADDRESS = Mend.by(
    "allow the address with a rule of better priority than the one that denies", *ALLOW_TAG.commands
)


def rule_shown(rule: SecurityRule, note: str = "") -> Evidence:
    """A security rule as evidence, in the order in which people read one."""
    ends = (*rule.destinations, *rule.destination_groups)
    starts = (*rule.sources, *rule.source_groups)
    value = (
        f"{rule.priority} {rule.access} {rule.direction} {rule.protocol} "
        f"{','.join(starts) or '-'}:{','.join(rule.source_ports) or '*'} -> "
        f"{','.join(ends) or '-'}:{','.join(rule.destination_ports) or '*'}"
    )
    return Evidence(rule.id or rule.name, "properties", value, note or rule.name)


def new_rule(
    inventory: Inventory,
    group: SecurityGroup,
    name: str,
    below: int | None,
    direction: Direction = Direction.OUTBOUND,
) -> dict[str, Any]:
    """The facts of a command that adds a rule to a group: the group, a name that no rule there has, and the largest
    free priority that is better than `below`, None where there is none.

    Each name gets a priority of its own, so that the commands of several findings can all be run; asked again, it is
    the same.
    """
    promised: dict[str, int] = inventory.remember(("promised-priorities", group.key, direction), dict)
    end = min(below if below is not None else LAST_PRIORITY + 1, LAST_PRIORITY + 1)
    if not promised.get(name, end) < end:
        taken = {
            rule.body.priority for rule in group.rules if (rule.body.direction or "").casefold() == direction.casefold()
        }
        taken.update(promised.values())
        free = next((p for p in range(end - 1, FIRST_PRIORITY - 1, -1) if p not in taken), None)
        if free is not None:
            promised[name] = free
    priority = promised.get(name)
    names = {rule.name.casefold() for rule in group.rules}
    return {
        "nsg_group": group.resource_group,
        "nsg_subscription": group.subscription_id,
        "nsg_name": group.name,
        "rule_name": next(n for n in chain([name], (f"{name}-{i}" for i in count(2))) if n.casefold() not in names),
        "priority": priority if priority is not None and priority < end else None,
    }


def new_rules(
    inventory: Inventory,
    group: SecurityGroup,
    name: str,
    below: int | None,
    direction: Direction = Direction.OUTBOUND,
    **sides: list[str] | None,
) -> dict[str, Any]:
    """The facts of `new_rule`, and of its twin for IPv6 where the addresses of `sides` are of both families.

    A side is a list of prefixes and tags (tags go into both rules), or None where a person has to choose. A side that
    is too long for a rule is left out, and with it the command.
    """
    facts: dict[str, Any] = dict(sides)
    if not any(_is_v6(text) for texts in sides.values() for text in texts or ()):
        facts |= new_rule(inventory, group, name, below, direction)
    else:
        four = {side: [t for t in texts or () if not _is_v6(t)] for side, texts in sides.items()}
        six = {side: [t for t in texts or () if _is_v6(t) or not _is_address(t)] for side, texts in sides.items()}
        facts |= four
        first = all(four.values())
        facts |= new_rule(inventory, group, name if first else f"{name}-v6", below, direction)
        if all(six.values()):
            twin = new_rule(inventory, group, f"{name}-v6", below, direction)
            facts |= {f"{side}_6": texts for side, texts in six.items()}
            facts |= {"rule_name_6": twin["rule_name"], "priority_6": twin["priority"]}
    return {k: None if isinstance(v, list) and len(v) > PREFIX_LIMIT else v for k, v in facts.items()}


def _is_address(text: str) -> bool:
    try:
        return bool(AddressSet.parse(text))
    except ValueError:
        return False


def _is_v6(text: str) -> bool:
    return ":" in text and _is_address(text)


def deciding(parts: Iterable[Part]) -> tuple[Evidence, ...]:
    """The rules that decide these parts, with the smallest packet of each, as evidence."""
    found: dict[str, Evidence] = {}
    for part in parts:
        for decider in part.deciders:
            if decider.rule is not None:
                shown = rule_shown(decider.rule, f"{part.access}: {part.witness}")
                found.setdefault(shown.resource + shown.path, shown)
    return tuple(found.values())


def effect_of(answers: Iterable[Answer]) -> Effect:
    """What is permitted over all interface groups, canonically."""
    return Effect(tuple(sorted({item for answer in answers for item in answer.decision.effect()})))


def trace_of(answer: Answer, label: str) -> tuple[TraceStep, ...]:
    """How the answer came about, headed by what was asked."""
    head = TraceStep("question", "may packets of {class_name} pass: {question}", {
        "class_name": label, "question": str(answer.decision.question),
    })  # fmt: skip
    return (head, *answer.decision.trace())


def outbound_verdict(
    inventory: Inventory,
    answers: tuple[Answer, ...],
    needed: PacketClass,
    *,
    subnet: str,
    part: str | None = None,
    related: Iterable[str] = (),
    group: SecurityGroup | None = None,
    rule_name: str = "AllowService",
    evidence: Iterable[Evidence] = (),
    documented: frozenset[How] = DOCUMENTED,
    partial: Outcome = Outcome.FAIL,
    any_protocol: bool = False,
    **facts: Any,
) -> Verdict:
    """The verdict on one class of packets, by the worst of its answers.

    `subnet` is its name for messages; `group` the group on the subnet, for the command that mends it; `partial` the
    outcome where a part is denied that the estate may not need. An advised class warns where a required one fails.
    With `any_protocol` the command lets every protocol through: for what is asked by TCP and UDP alike.
    """
    answer = worst(answers)
    decision = answer.decision
    more: dict[str, Any] = {
        "part": part,
        "related": related,
        "trace": trace_of(answer, needed.label),
        "effect": effect_of(answers),
        "subnet": subnet,
        "service": needed.label,
        **facts,
    }
    shown = (*evidence, *deciding(decision.parts), _data(inventory, needed))
    mending = _mending(inventory, decision, needed, group, rule_name)
    if any_protocol and mending[0] is not None:
        mending = (_of_any_protocol(mending[0]), mending[1])
    match decision.access:
        case Access.ALLOWED:
            return _allowed(decision, needed, shown, documented, more)
        case Access.DENIED:
            return _denied(decision, needed, shown, mending, more)
        case Access.PARTIAL:
            return _partial(decision, needed, shown, mending, partial, more)
        case Access.UNDECIDED:
            first = decision.unknowns[0] if decision.unknowns else None
            return unknown(
                f"undecided-{first.atom.kind}" if first else "undecided",
                "whether {subnet} reaches {service} hangs on {atoms}, which rule {rules} rests on",
                *shown,
                atoms=sorted({str(u.atom) for u in decision.unknowns}),
                rules=sorted({str(rule) for u in decision.unknowns for rule in u.rules}),
                hint=_hint(decision),
                **more,
            )


def _data(inventory: Inventory, needed: PacketClass) -> Evidence:
    name = needed.destination.name if isinstance(needed.destination, Tag) else needed.label
    return Evidence(f"/servicetags/{inventory.cloud}", "addressPrefixes", name, tag_source(inventory))


def _hint(decision: Decision) -> str:
    atom = decision.unknowns[0].atom if decision.unknowns else None
    if atom is None:
        return "collect again"
    if "tag" in atom.kind or "prefix-against" in atom.kind:
        return "scan with service tag data: live, or with --service-tags FILE"
    return atom.why or f"make {atom.name} readable, or mend the rule that names it"


def _allowed(
    decision: Decision,
    needed: PacketClass,
    shown: tuple[Evidence, ...],
    documented: frozenset[How],
    more: dict[str, Any],
) -> Verdict:
    how = decision.allowed_by()
    if not isinstance(needed.destination, Tag):
        documented = frozenset(How)  # addresses are what was asked for: a rule for them does not go stale
    rules = [str(rule) for rule in decision.rules()] or ["no rule"]
    if how <= {How.NO_GROUP}:
        return passed("no-nsg", "nothing filters what {subnet} sends to {service}", *shown, **more)
    if needed.private is not None and needed.slug.endswith("-private"):
        return passed("private-endpoint", "{subnet} reaches {service}, by {rules}", *shown, rules=rules, **more)
    if How.LITERAL in how and How.LITERAL not in documented:
        return warned(
            "frozen",
            "{subnet} reaches all of today's addresses of {service}, but by literal prefixes ({rules}), which Azure "
            "changes weekly",
            *shown,
            rules=rules,
            **more,
        )
    if How.BROAD in how and How.BROAD not in documented:
        return warned(
            "broad",
            "{subnet} reaches {service} by {rules}, which permits far more than the service's tag",
            *shown,
            rules=rules,
            **more,
        )
    if how <= {How.DEFAULT_RULE, How.NO_GROUP}:
        return passed("default-rules", "{subnet} reaches {service} by the default rules", *shown, **more)
    return passed("allowed", "{subnet} reaches {service}, by {rules}", *shown, rules=rules, **more)


def _mending(
    inventory: Inventory, decision: Decision, needed: PacketClass, group: SecurityGroup | None, rule_name: str
) -> tuple[Mend | None, dict[str, Any]]:
    denied = decision.of(Access.DENIED)
    deciders = [d for p in denied for d in p.deciders if d.rule is not None]
    on_subnet = group is not None and any(d.group.casefold() == group.id.casefold() for d in deciders)
    if group is None or not on_subnet:
        return None, {}
    priorities = [d.rule.priority for d in deciders if d.rule is not None and d.rule.priority is not None]
    to = needed.destination
    return ALLOW_TAG if isinstance(to, Tag) else ALLOW_ADDRESS, {
        "protocol": str(needed.protocol),
        "port": needed.ports.first(),
        **new_rules(
            inventory,
            group,
            _named(rule_name, to),
            min(priorities, default=None),
            tag=[to.name] if isinstance(to, Tag) else [_bare(prefix) for prefix in to.prefixes()],
        ),
    }


def _bare(prefix: str) -> str:
    return prefix.removesuffix("/128" if ":" in prefix else "/32")


def _named(rule_name: str, to: Tag | AddressSet) -> str:
    """A rule's name that tells its destination: several regions, or endpoints, of one service need a rule each."""
    service, _, region = to.name.partition(".") if isinstance(to, Tag) else ("", "", "")
    what = (
        ("" if service == "AzureFrontDoor" else region) if isinstance(to, Tag) else (to.first() or "").replace(":", "-")
    )
    return f"{rule_name}-{what}" if what and not rule_name.endswith(f"-{what}") else rule_name


def _of_any_protocol(mend: Mend) -> Mend:
    star = {"{protocol}": "*"}
    return Mend(mend.summary, tuple(tuple(star.get(word, word) for word in argv) for argv in mend.commands))


def _denied(
    decision: Decision,
    needed: PacketClass,
    shown: tuple[Evidence, ...],
    mending: tuple[Mend | None, dict[str, Any]],
    more: dict[str, Any],
) -> Verdict:
    mend, facts = mending
    say = failed if needed.grade is Grade.REQUIRED else warned
    return say(
        "denied",
        "{subnet} does not reach {service}: {rule} drops {packet}",
        *shown,
        rule=_deniers(decision),
        packet=str(decision.witness),
        mend=mend,
        **facts,
        **more,
    )


def _deniers(decision: Decision) -> list[str]:
    return sorted({str(d) for p in decision.of(Access.DENIED) for d in p.deciders})


def _partial(
    decision: Decision,
    needed: PacketClass,
    shown: tuple[Evidence, ...],
    mending: tuple[Mend | None, dict[str, Any]],
    partial: Outcome,
    more: dict[str, Any],
) -> Verdict:
    mend, facts = mending
    say = failed if partial is Outcome.FAIL and needed.grade is Grade.REQUIRED else warned
    return say(
        "partial",
        "{subnet} reaches only a part of {service}: {rule} drops {packet}",
        *shown,
        rule=_deniers(decision),
        packet=str(decision.witness),
        mend=mend,
        **facts,
        **more,
    )
