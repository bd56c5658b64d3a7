"""Languages: which one to speak, and messages as constant English templates over named facts.

Catalogues are gettext's, in `reports/locale/<language>/LC_MESSAGES/auditor.mo`. A language without a
catalogue, or a message without a translation, is spoken in English: a missing translation is a blemish,
never an error.
"""

from __future__ import annotations

import enum
import functools
import gettext
import string
from collections.abc import Mapping, Sequence
from typing import Any

from auditor.resources import root

DOMAIN = "auditor"


class Language(enum.StrEnum):
    """The languages that reports and messages come in; the value is what `--lang` takes and `run.lang`
    holds.
    """

    ENGLISH = "en"
    CHINESE = "zh-CN"

    @property
    def locale(self) -> str:
        """The name of its catalogue's folder, as Babel spells it."""
        return self.value.replace("-", "_")


_SIMPLIFIED = ("zh_cn", "zh_sg", "zh_my", "zh_hans")


def choose(lang: str | None, environ: Mapping[str, str], *, machine_format: bool = False) -> Language:
    """The language to speak: what `--lang` says; else English for machines, and the user's locale for people.

    A locale is read as gettext does: the first that is set of LANGUAGE, LC_ALL, LC_MESSAGES, LANG.
    Traditional Chinese locales are spoken to in English: their readers would rather have that than
    Simplified.
    """
    if lang is not None:
        return Language(lang)
    if machine_format:
        return Language.ENGLISH
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(variable):
            return _spoken(environ[variable])
    return Language.ENGLISH


def _spoken(locales: str) -> Language:
    """The first of a colon-separated list of locales that is one of ours."""
    for locale in locales.split(":"):
        name = locale.split(".")[0].split("@")[0].replace("-", "_").casefold()
        if name == "zh" or name.startswith(_SIMPLIFIED):
            return Language.CHINESE
        if name in ("c", "posix") or name.split("_")[0] == "en":
            return Language.ENGLISH
    return Language.ENGLISH


class Translator:
    """Speaks one language."""

    def __init__(self, language: Language, catalogue: gettext.NullTranslations) -> None:
        self.language = language
        self.catalogue = catalogue
        """What Jinja2's i18n extension installs."""

    def gettext(self, template: str) -> str:
        """The template in this language; itself where it has no translation."""
        # The empty message is gettext's own header, which nobody wants to read.
        return self.catalogue.gettext(template) if template else template

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The singular or plural template for `count`."""
        return self.catalogue.ngettext(one, many, count)

    def format(self, template: str, facts: Mapping[str, Any]) -> str:
        """The template in this language with its facts filled in."""
        return fill(self.gettext(template), facts)


@functools.cache
def translator(language: Language) -> Translator:
    """The translator of a language."""
    if language is Language.ENGLISH:
        return Translator(language, gettext.NullTranslations())
    catalogue = gettext.translation(DOMAIN, root("reports") / "locale", [language.locale], fallback=True)
    return Translator(language, catalogue)


class _Filler(string.Formatter):
    """`str.format` with names only: no attribute, index or conversion of a fact is ever reached from a
    template.
    """

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        return _shown(kwargs[field_name]) if field_name in kwargs else "{" + field_name + "}", field_name


_FILLER = _Filler()


def fill(template: str, facts: Mapping[str, Any]) -> str:
    """The template with `{name}` replaced by facts; a name without a fact stays as written, and nothing
    raises.
    """
    try:
        return _FILLER.vformat(template, (), facts)
    except (ValueError, KeyError):  # an unpaired brace: show the template rather than lose the message
        return template


def _shown(fact: object) -> str:
    """A fact as people write it: lists with commas, booleans as ARM spells them."""
    if isinstance(fact, bool):
        return "true" if fact else "false"
    if isinstance(fact, (list, tuple, set, frozenset)):
        return ", ".join(sorted(map(str, fact)) if isinstance(fact, (set, frozenset)) else map(str, fact))
    return str(fact)
