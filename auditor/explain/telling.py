"""A recorded trace as people read it: under each question and each place the rules that were tried there, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from auditor.values import ResourceId

_LONGEST_FACT = 160  # a rule can list thousands of prefixes; the report has all of them


class Recorded(Protocol):
    """A step as the engine makes it, or as a report carries it."""

    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


class Speaks(Protocol):
    """What telling needs of a language."""

    def gettext(self, template: str) -> str: ...

    def format(self, template: str, facts: Mapping[str, Any]) -> str: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One step in words; `kind` and `facts` as recorded, for programs."""

    kind: str
    text: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """What was tried at one place, or for one question. `heading` is empty where the trace names neither."""

    heading: str
    steps: tuple[Step, ...]


_OPENING = ("question", "search")  # steps that say what is asked: headings of what follows
_RULES = "nsg-"
_GROUP = "network security group {name} (resource group {resource_group})"
_GROUP_BY_NAME = "network security group {name}"
_ADMIN_RULES = "security admin rules"
_ROUTES = "next hop"


def sections(trace: Iterable[Recorded], speaker: Speaks) -> tuple[Section, ...]:
    """The steps of a trace, in order, under headings: a question, or the place whose rules follow."""
    found: list[tuple[str, list[Step]]] = []
    asked = ""
    for step in trace:
        if step.kind in _OPENING:
            found.append((speaker.format(step.text, _short(step.facts)), []))
            asked = str(step.facts.get("question", ""))
            continue
        if step.kind == "nsg-asked" and asked and step.facts.get("found") == asked:
            continue  # the question has just been told, in more words
        heading = _place(step, speaker)
        told = Step(step.kind, speaker.format(step.text, _short(step.facts)), step.facts)
        if not found or (heading is not None and heading != found[-1][0]):
            found.append((heading or "", []))
        found[-1][1].append(told)
    return tuple(Section(heading, tuple(steps)) for heading, steps in found)


def _place(step: Recorded, speaker: Speaks) -> str | None:
    """Where a step happens; None if it goes on where the one before happened."""
    if step.kind.startswith("route"):
        return speaker.gettext(_ROUTES)
    if not step.kind.startswith(_RULES):
        return None
    group = str(step.facts.get("group", ""))
    if not group:
        return speaker.gettext(_ADMIN_RULES) if "rule" in step.facts else ""
    try:
        parsed = ResourceId.parse(group)
    except ValueError:
        return speaker.format(_GROUP_BY_NAME, {"name": group})
    facts = {"name": parsed.name, "resource_group": parsed.resource_group}
    return speaker.format(_GROUP if parsed.resource_group else _GROUP_BY_NAME, facts)


def _short(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts as a line can bear them: ids by name and group, texts cut where a rule lists a thousand prefixes."""
    return {name: _brief(value) if isinstance(value, str) else value for name, value in facts.items()}


def _brief(text: str) -> str:
    if text.startswith(("/subscriptions/", "/providers/")):
        try:
            return _by_name(ResourceId.parse(text))
        except ValueError:
            pass  # it only looks like an id
    return f"{text[:_LONGEST_FACT]}…" if len(text) > _LONGEST_FACT else text


def _by_name(scope: ResourceId) -> str:
    """`virtualNetworks/vnet/subnets/nodes (rg-net)`, `rg-net`, a subscription's or management group's name."""
    parts = scope.segments
    folded = [part.casefold() for part in parts]
    if "providers" not in folded:
        return parts[-1] if scope.resource_group else f"subscription {parts[-1]}"
    at = len(parts) - 1 - folded[::-1].index("providers")
    named = "/".join(parts[at + 2 :]) or scope.text
    return f"{named} ({scope.resource_group})" if scope.resource_group else named
