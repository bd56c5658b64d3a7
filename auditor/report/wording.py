"""The report's own words in a reader's language: the catalogues of `auditor.i18n`, for templates and script.

Only the report's furniture is translated here; findings arrive in the run's language.
"""

from __future__ import annotations

import gettext

from auditor.i18n import DOMAIN, Language, translator
from auditor.resources import root


def wording(lang: str) -> gettext.NullTranslations:
    """The catalogue of `lang`; English where there is none."""
    return translator(Language(lang)).catalogue if lang in set(Language) else gettext.NullTranslations()


def languages() -> tuple[str, ...]:
    """The languages that a report can be read in: English, and those that have a catalogue."""
    locale = root("reports") / "locale"
    return tuple(
        language.value
        for language in Language
        if language is Language.ENGLISH or gettext.find(DOMAIN, locale, [language.locale])
    )
