"""Remediation commands: lists of arguments, each value held against a grammar before it may enter one.

Everything that comes from Azure is hostile text. A value that does not fit drops the command, and prose stays.
"""

from __future__ import annotations

import itertools
import re
import shlex
import string
from collections.abc import Mapping
from typing import Any

from auditor.api.verdicts import Mend
from auditor.findings import Command, Remediation

_SEGMENT = r"[A-Za-z0-9_(][A-Za-z0-9_.()\-]*"
_GRAMMARS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(/{_SEGMENT})+",  # an ARM id
        r"[A-Za-z0-9_][A-Za-z0-9_.()\-]{0,127}",  # a name, GUID, region, tag, number
        r"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?",  # IPv4
        r"[0-9A-Fa-f:]{2,39}(/[0-9]{1,3})?",  # IPv6
    )
)


_GROUP = re.compile(r"\{(\w+)_group\}")


def fits(value: Any) -> bool:
    """Whether one value may stand in a command: an ARM id, GUID, name, number, address or prefix, nothing else."""
    return isinstance(value, (str, int)) and any(grammar.fullmatch(str(value)) for grammar in _GRAMMARS)


def remediation(mend: Mend, facts: Mapping[str, Any], summary: str) -> Remediation:
    """The commands with their values filled in; `summary` is the prose, already in the run's language.

    A list fills its argument with one argument an item, or, written `{name:,}`, with its items joined by commas.
    A command that names a resource group is told its subscription as well: the one that the CLI happens to be set to
    may hold a group of the same name.
    """
    commands = []
    for template in mend.commands:
        argv = _filled(template, facts)
        if argv is not None:
            argv += _subscription(template, facts)
            commands.append(Command(argv=argv, text=shlex.join(argv)))
    return Remediation(summary=summary, template=mend.summary, commands=tuple(commands))


def _subscription(template: tuple[str, ...], facts: Mapping[str, Any]) -> tuple[str, ...]:
    """`--subscription` for `-g {zone_group}`, where the facts hold `zone_subscription`; nothing where they do not."""
    for option, value in itertools.pairwise(template):
        found = _GROUP.fullmatch(value) if option == "-g" else None
        subscription = facts.get(f"{found[1]}_subscription") if found else None
        if subscription and fits(subscription):
            return "--subscription", str(subscription)
    return ()


def _filled(template: tuple[str, ...], facts: Mapping[str, Any]) -> tuple[str, ...] | None:
    argv: list[str] = []
    for argument in template:
        parts: list[str] = []
        for literal, name, form, _ in string.Formatter().parse(argument):
            parts.append(literal)
            if name is None:
                continue
            value = facts.get(name)
            if form == "," and isinstance(value, (list, tuple)):
                if not value or not all(map(fits, value)):
                    return None
                parts.append(",".join(str(item) for item in value))
                continue
            if isinstance(value, (list, tuple)) and argument == f"{{{name}}}":
                if not value or not all(map(fits, value)):
                    return None
                argv.extend(str(item) for item in value)
                parts = []
                break
            if not fits(value):
                return None
            parts.append(str(value))
        if parts or not argument:
            argv.append("".join(parts))
    return tuple(argv)
