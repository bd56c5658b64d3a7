"""What a check returns: a verdict, and how the `@check` decorator marks a function as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from auditor.values import Effect, Evidence, Outcome, Severity, TraceStep


@dataclass(frozen=True, slots=True)
class Mend:
    """How to put it right: `summary` is prose, `commands` are lists of arguments.

    Both are templates over the verdict's facts and these names: `{resource}` (the id of what the finding is about),
    `{name}`, `{resource_group}`, `{subscription}`, `{part}`. The engine quotes every argument for a POSIX shell; a
    value that does not fit the grammar of an ARM id, GUID, name, number or prefix drops the command.
    """

    summary: str
    commands: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def by(cls, summary: str, *commands: tuple[str, ...]) -> Mend:
        """Prose and any number of commands."""
        return cls(summary, commands)


RENEW = Mend.by(
    "the same role assignment cannot be made twice: extend the one that ends, or replace it by a permanent one"
)
"""For grants that are about to end: `az role assignment create` would only find the one that is there."""


@dataclass(frozen=True, slots=True)
class Source:
    """The clause that a check comes from.

    `document` is the key of the document (`AML-V1-INF`), `section` its heading or statement, `path` the page's path
    below the documentation's root, which the cloud chooses: learn.microsoft.com/azure or docs.azure.cn.
    """

    document: str
    section: str
    path: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer of a check about a resource (`about`, else the subject) or about a `part` of it.

    `message` is a constant template over `facts`; `reason` the stable slug for why.
    """

    outcome: Outcome
    reason: str
    message: str
    facts: dict[str, Any] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    about: str | None = None
    part: str | None = None
    related: tuple[str, ...] = ()
    trace: tuple[TraceStep, ...] = ()
    effect: Effect | None = None
    mend: Mend | None = None


def verdict(
    outcome: Outcome,
    reason: str,
    message: str,
    *evidence: Evidence,
    about: str | None = None,
    part: str | None = None,
    related: Iterable[str] = (),
    trace: Iterable[TraceStep] = (),
    effect: Effect | None = None,
    mend: Mend | None = None,
    **facts: Any,
) -> Verdict:
    """A verdict with this outcome; keyword arguments beyond the named ones are the facts of its message."""
    return Verdict(outcome, reason, message, facts, evidence, about, part, tuple(related), tuple(trace), effect, mend)


def passed(reason: str, message: str, *evidence: Evidence, **more: Any) -> Verdict:
    """Met as documented, and the evidence shows it."""
    return verdict(Outcome.PASS, reason, message, *evidence, **more)


def warned(reason: str, message: str, *evidence: Evidence, **more: Any) -> Verdict:
    """Met in effect, not as documented; or legal but risky."""
    return verdict(Outcome.WARN, reason, message, *evidence, **more)


def failed(reason: str, message: str, *evidence: Evidence, **more: Any) -> Verdict:
    """Violated, and the evidence names what proves it."""
    return verdict(Outcome.FAIL, reason, message, *evidence, **more)


def unknown(reason: str, message: str, *evidence: Evidence, **more: Any) -> Verdict:
    """What decides it could not be read; the message says how to grant it."""
    return verdict(Outcome.UNKNOWN, reason, message, *evidence, **more)


def not_applicable(reason: str, message: str, *evidence: Evidence, **more: Any) -> Verdict:
    """The requirement provably does not concern this resource."""
    return verdict(Outcome.NOT_APPLICABLE, reason, message, *evidence, **more)


CheckFunction = Callable[..., Iterator[Verdict]]
Where = Callable[[Any, Any], bool]
F = TypeVar("F", bound=CheckFunction)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the decorator says of a check; `clauses` are statements of the source document (requirements section 1)."""

    id: str
    severity: Severity
    source: Source
    mend: Mend
    version: int = 1
    aliases: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    where: Where | None = None


ATTRIBUTE = "__auditor_check__"


def check(
    *,
    id: str,
    severity: Severity,
    source: Source,
    mend: Mend,
    version: int = 1,
    aliases: tuple[str, ...] = (),
    clauses: tuple[str, ...] = (),
    reads: tuple[str, ...] = (),
    where: Where | None = None,
) -> Callable[[F], F]:
    """Mark a function `(subject, inventory) -> Iterator[Verdict]` as a check.

    The subject's type is the first parameter's annotation. The module's docstring is the check's page, its first line
    the title. `version` rises when verdicts change their meaning. `reads` lists ARM types beyond the subject's own,
    for `auditor permissions` and the page. `where(subject, inventory)` tells which subjects the check is about at all:
    a subnet that no container group uses is not even "not applicable" to a check of container groups.
    """
    declaration = Declaration(id, severity, source, mend, version, aliases, clauses, reads, where)

    def mark(function: F) -> F:
        setattr(function, ATTRIBUTE, declaration)
        return function

    return mark
