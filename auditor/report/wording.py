"""What a report says in a reader's language, whatever language its run spoke.

The report's own words come from the catalogues of `auditor.i18n`. A finding carries its English templates with their
facts, so that it can be told anew: `sayings` are its title, message and remediation before any language.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.findings import Finding
from auditor.i18n import DOMAIN, Language, Translator, fill, translator
from auditor.resources import root


@dataclass(frozen=True, slots=True)
class Saying:
    """A constant English text over facts; without facts (None) a text to be shown as it is."""

    text: str
    facts: Mapping[str, Any] | None = None

    def told(self, speaker: Translator) -> str:
        """In the speaker's language."""
        return speaker.phrase(self.text) if self.facts is None else speaker.format(self.text, self.facts)


@dataclass(frozen=True, slots=True)
class Sayings:
    """What a finding says."""

    title: Saying
    message: Saying
    mend: Saying


def sayings(finding: Finding) -> Sayings:
    """Its texts before any language. One that is not what its template says is kept as it stands."""
    remediation = finding.remediation
    return Sayings(
        title=Saying(original(finding.title)),
        message=_saying(finding.message, finding.template, finding.facts),
        mend=_saying(remediation.summary, remediation.template, _named(finding)),
    )


def _saying(text: str, template: str, facts: Mapping[str, Any]) -> Saying:
    if template and (fill(template, facts) == text or any(s.format(template, facts) == text for s in _foreign())):
        return Saying(template, facts)
    return Saying(original(text))


def _named(finding: Finding) -> dict[str, Any]:
    """The facts that a remediation is a template over: `auditor.api.Mend` tells them."""
    resource = finding.resource
    values = {
        "resource": resource.id,
        "about": resource.id,
        "name": resource.name,
        "resource_group": resource.resource_group,
        "subscription": resource.subscription_id,
        "location": resource.location,
        "part": finding.part,
        **finding.facts,
    }
    return {name: value for name, value in values.items() if value is not None}


def original(text: str) -> str:
    """The English of a constant text that a run said in its language; any other text as it is."""
    return next((found for found in (each.original(text) for each in _foreign()) if found != text), text)


def _foreign() -> tuple[Translator, ...]:
    return tuple(translator(language) for language in Language if language is not Language.ENGLISH)


def speaker(lang: str) -> Translator:
    """Who speaks `lang`; English where nobody does."""
    return translator(Language(lang) if lang in set(Language) else Language.ENGLISH)


def wording(lang: str) -> gettext.NullTranslations:
    """The catalogue of the report's own words in `lang`; English where there is none."""
    return speaker(lang).catalogue


def languages() -> tuple[str, ...]:
    """The languages that a report can be read in: English, and those that have a catalogue."""
    locale = root("reports") / "locale"
    return tuple(
        language.value
        for language in Language
        if language is Language.ENGLISH or gettext.find(DOMAIN, locale, [language.locale])
    )


def outcome_words(words: gettext.NullTranslations) -> dict[str, str]:
    """Outcomes as people say them, the worst first."""
    _ = words.gettext
    return {
        "fail": _("Fail"),
        "warn": _("Warning"),
        "unknown": _("Unknown"),
        "pass": _("Pass"),
        "not-applicable": _("Not applicable"),
    }


def drift_words(words: gettext.NullTranslations) -> dict[str, str]:
    """States of drift as people say them."""
    _ = words.gettext
    return {
        "new": _("New"),
        "changed": _("Changed"),
        "unverified": _("No longer verified"),
        "resolved": _("Resolved"),
        "unchanged": _("Unchanged"),
    }


def severity_words(words: gettext.NullTranslations) -> dict[str, str]:
    """Severities as people say them, the most severe first."""
    _ = words.gettext
    return {
        "critical": _("Critical"),
        "high": _("High"),
        "medium": _("Medium"),
        "low": _("Low"),
        "info": _("Info"),
    }


def kind_words(words: gettext.NullTranslations) -> dict[str, str]:
    """Kinds of resources as people call them, by their key in the report's summary."""
    _ = words.gettext
    return {
        "clusters": _("clusters"),
        "workspaces": _("workspaces"),
        "computes": _("computes"),
        "extensions": _("extensions"),
        "containerGroups": _("container groups"),
        "virtualNetworks": _("virtual networks"),
        "subnets": _("subnets"),
        "networkSecurityGroups": _("network security groups"),
        "routeTables": _("route tables"),
        "loadBalancers": _("load balancers"),
        "registries": _("registries"),
        "privateEndpoints": _("private endpoints"),
        "roleAssignments": _("role assignments"),
    }
