"""Checks over an inventory to findings: a pure function, with a guard around each check.

A check that raises or yields nothing gives `unknown`; a resource that exists but could not be decoded gives `unknown`
in every check that is about its type. Verdicts of one identity fold into one finding, the worst first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from auditor.api.verdicts import Mend, Verdict, unknown
from auditor.clouds import CloudProfile
from auditor.derive.links import attachment
from auditor.evaluate.catalogue import Catalogue, Check
from auditor.evaluate.commands import remediation
from auditor.evaluate.subjects import RESOURCE_SUBJECTS, SUBJECTS
from auditor.findings import (
    EffectRecord,
    EvidenceRecord,
    Finding,
    Remediation,
    ResourceRef,
    SourceRef,
    TraceRecord,
    sort_key,
)
from auditor.inventory import Inventory
from auditor.inventory.records import BY_TYPE, Cluster, Resource, key_of
from auditor.values import Outcome, Progress, ResourceId, Severity, Unread, silent


class Speaks(Protocol):
    """What evaluation needs of a language."""

    def gettext(self, template: str) -> str: ...

    def format(self, template: str, facts: Mapping[str, Any]) -> str: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How findings are worded: the cloud's profile, the language, and severities that the configuration changes."""

    profile: CloudProfile
    language: Speaks
    severities: Mapping[str, Severity]


def evaluate(
    inventory: Inventory, catalogue: Catalogue, terms: Terms, *, progress: Progress = silent
) -> tuple[Finding, ...]:
    """All findings, sorted as a report lists them."""
    found: dict[tuple[str, str, str], list[tuple[Check, Verdict, str]]] = {}
    for done, check in enumerate(catalogue, 1):
        for subject_id, verdict in _verdicts(check, inventory):
            about = verdict.about or subject_id
            key = (check.id, key_of(about), (verdict.part or "").casefold())
            found.setdefault(key, []).append((check, verdict, about))
        progress("checks", done, len(catalogue))
    findings = [_finding(group, inventory, terms) for group in found.values()]
    return tuple(sorted(findings, key=sort_key))


def _verdicts(check: Check, inventory: Inventory) -> Iterator[tuple[str, Verdict]]:
    for kind in check.subjects:
        for subject in SUBJECTS[kind](inventory):
            if _left_out(subject, inventory):
                continue
            yield from _guarded(check, subject, inventory)
        if kind in RESOURCE_SUBJECTS:
            for bad in inventory.broken(kind):
                yield (
                    bad.id,
                    unknown(
                        "cluster-unreadable" if kind is Cluster else "resource-unreadable",
                        "{id} could not be read: {why}",
                        id=bad.id,
                        why=bad.unread.why,
                    ),
                )


def _left_out(subject: Any, inventory: Inventory) -> bool:
    """With `--clusters attached`, a cluster (or its extension) that is not provably attached to Azure ML."""
    if not inventory.configured.attached_only:
        return False
    if isinstance(subject, Cluster):
        return attachment(inventory, subject).attached is not True
    return False


def _guarded(check: Check, subject: Any, inventory: Inventory) -> Iterator[tuple[str, Verdict]]:
    subject_id = getattr(subject, "id", "/")
    count = 0
    verdicts: list[Verdict] = []
    try:
        if check.where is not None and not check.where(subject, inventory):
            return
        for verdict in check.function(subject, inventory):
            verdicts.append(verdict)
            count += 1
    except Exception as problem:  # noqa: BLE001
        # The one place that catches everything: a defect of a check must not take the other verdicts with it.
        # What it yielded before is dropped too, since a later verdict might have been worse.
        place = _place(problem)
        yield (
            subject_id,
            unknown(
                "check-error",
                "the check {check} failed with {error} at {place}; this is a defect of the check",
                check=check.id,
                error=f"{type(problem).__name__}: {problem}"[:300],
                place=place,
            ),
        )
        return
    if not count and not isinstance(subject, Inventory):
        yield subject_id, unknown("no-verdict", "the check {check} gave no verdict", check=check.id)
    for verdict in verdicts:
        yield subject_id, verdict


def _place(problem: Exception) -> str:
    traceback = problem.__traceback__
    place = "an unknown place"
    while traceback is not None:
        place = f"{traceback.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def finding_id(check: Check, about: str, part: str | None) -> str:
    """The first 20 hex digits of SHA-256 over first id, resource and part: for ever the same for one deviation."""
    text = "\n".join((check.first_id.casefold(), key_of(about), key_of(part or "")))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _finding(group: list[tuple[Check, Verdict, str]], inventory: Inventory, terms: Terms) -> Finding:
    check, worst, about = min(group, key=lambda item: item[1].outcome.rank)
    verdicts = [verdict for _, verdict, _ in group]
    reasons = tuple(dict.fromkeys([worst.reason, *sorted({v.reason for v in verdicts})]))
    evidence = _unique(e for v in [worst, *verdicts] for e in v.evidence)
    related = tuple(dict.fromkeys(r for v in verdicts for r in v.related if key_of(r) != key_of(about)))
    reference = resource_ref(inventory, about)
    facts = {name: plain(value) for name, value in worst.facts.items()}
    return Finding(
        id=finding_id(check, about, worst.part),
        check=check.id,
        title=terms.language.gettext(check.title),
        severity=terms.severities.get(check.id, check.severity),
        outcome=worst.outcome,
        reason=worst.reason,
        reasons=reasons,
        message=terms.language.format(worst.message, facts),
        template=worst.message,
        facts=facts,
        resource=reference,
        part=key_of(worst.part) if worst.part else None,
        related=related,
        evidence=tuple(
            EvidenceRecord(resource=e.resource, path=e.path, value=plain(e.value), note=e.note) for e in evidence
        ),
        trace=tuple(
            TraceRecord(kind=s.kind, text=s.text, facts={k: plain(v) for k, v in s.facts.items()})
            for v in [worst, *(v for v in verdicts if v is not worst)]
            for s in v.trace
        ),
        effect=_effect(verdicts),
        source=SourceRef(
            document=check.source.document,
            section=check.source.section,
            url=terms.profile.docs + check.source.path,
        ),
        remediation=_remediation_of_all(check, [worst, *(v for v in verdicts if v is not worst)], reference, terms),
    )


def _remediation_of_all(check: Check, verdicts: list[Verdict], reference: ResourceRef, terms: Terms) -> Remediation:
    """What mends the first verdict, the worst, with the commands of all that are as bad and are mended alike."""
    worst = verdicts[0]
    alike = [v for v in verdicts if (v.outcome, v.reason, v.mend) == (worst.outcome, worst.reason, worst.mend)]
    each = [
        _remediation(check, one, reference, {name: plain(value) for name, value in one.facts.items()}, terms)
        for one in alike
    ]
    commands = tuple(dict.fromkeys(command for one in each for command in one.commands))
    return Remediation(summary=each[0].summary, template=each[0].template, commands=commands)


def _effect(verdicts: Iterable[Verdict]) -> EffectRecord | None:
    effects = [verdict.effect for verdict in verdicts if verdict.effect is not None]
    if not effects:
        return None
    items = tuple(sorted({item for effect in effects for item in effect.items}))
    digest = hashlib.sha256("\n".join(items).encode()).hexdigest()[:20]
    return EffectRecord(digest=digest, items=items)


def _unique(items: Iterable[Any]) -> list[Any]:
    found: dict[tuple[str, str, str], Any] = {}
    for item in items:
        found.setdefault((key_of(item.resource), item.path, repr(item.value)), item)
    return list(found.values())


def plain(value: Any) -> Any:
    """A value as JSON can carry it: records of the engine by their text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Unread():
            return value.why
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            items = [plain(item) for item in value]
            return sorted(items, key=str) if isinstance(value, (set, frozenset)) else items
        case _:
            return str(value)


def resource_ref(inventory: Inventory, resource_id: str) -> ResourceRef:
    """The resource a finding is about: spelled as its record spells it where there is one."""
    try:
        parsed = ResourceId.parse(resource_id)
    except ValueError:
        return ResourceRef(id=resource_id, type="", name=resource_id)
    record = _record(inventory, parsed)
    return ResourceRef(
        id=record.id if record else parsed.text,
        type=parsed.type,
        name=record.name if record else parsed.name,
        location=record.location if record else None,
        subscription_id=parsed.subscription_id,
        resource_group=parsed.resource_group,
    )


def _record(inventory: Inventory, parsed: ResourceId) -> Resource[Any] | None:
    kind = BY_TYPE.get(parsed.type)
    found = inventory.find(kind, parsed.key) if kind else None
    return found if isinstance(found, Resource) else None


def _remediation(
    check: Check, verdict: Verdict, reference: ResourceRef, facts: dict[str, Any], terms: Terms
) -> Remediation:
    mend = verdict.mend or check.mend
    if verdict.outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE):
        mend = Mend("")
    elif verdict.outcome is Outcome.UNKNOWN and verdict.mend is None:
        hint = verdict.facts.get("hint")
        mend = Mend("{hint}" if hint else "make readable what is named above, then scan again")
    values = {
        "resource": reference.id,
        "about": reference.id,
        "name": reference.name,
        "resource_group": reference.resource_group,
        "subscription": reference.subscription_id,
        "resource_subscription": reference.subscription_id,
        "location": reference.location,
        "part": verdict.part,
        **facts,
    }
    summary = terms.language.format(mend.summary, {k: v for k, v in values.items() if v is not None})
    return remediation(mend, values, summary)


__all__ = ["Terms", "evaluate", "finding_id", "plain", "resource_ref"]
