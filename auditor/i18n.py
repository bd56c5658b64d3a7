"""Languages: which one to speak, and messages as constant English templates over named facts.

Catalogues are gettext's, in `reports/locale/<language>/LC_MESSAGES/`: `auditor.mo` holds the words of reports and
programs, `verdicts.mo` what findings say. A language without a catalogue, or a message without a translation, is
spoken in English: a missing translation is a blemish, never an error.
"""

from __future__ import annotations

import enum
import functools
import gettext
import string
from collections.abc import Mapping
from typing import Any

from auditor.phrases import Phrases
from auditor.resources import root

DOMAIN = "auditor"
VERDICTS = "verdicts"
"""The catalogue of titles, message templates, remediations, trace steps and the texts that are facts."""


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

    def __init__(self, language: Language, catalogue: gettext.NullTranslations, phrases: Phrases | None = None) -> None:
        self.language = language
        self.catalogue = catalogue
        """What Jinja2's i18n extension installs: the words of reports and programs."""
        self._phrases = phrases

    @property
    def separator(self) -> str:
        """What stands between the items of a list."""
        return "、" if self.language is Language.CHINESE else ", "

    def gettext(self, template: str) -> str:
        """The template in this language; itself where it has no translation."""
        # The empty message is gettext's own header, which nobody wants to read.
        if not template:
            return template
        said = self._phrases.constant(template) if self._phrases else None
        return said if said is not None else self.catalogue.gettext(template)

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The singular or plural template for `count`."""
        return self.catalogue.ngettext(one, many, count)

    def format(self, template: str, facts: Mapping[str, Any]) -> str:
        """The template in this language with its facts filled in, each of them in this language where it is a text."""
        if self._phrases is None:
            return fill(template, facts)
        return fill(self.gettext(template), {name: self.fact(value) for name, value in facts.items()}, self.separator)

    def phrase(self, text: str) -> str:
        """A text that the program made, in this language; names, ids and values come back as they are."""
        return self._phrases.said(text) if self._phrases else text

    def fact(self, value: Any) -> Any:
        """A fact in this language: texts as `phrase` says, lists item by item."""
        if isinstance(value, str):
            return self.phrase(value)
        if isinstance(value, (set, frozenset)):
            return [self.fact(each) for each in sorted(value, key=str)]
        if isinstance(value, (list, tuple)):
            return [self.fact(each) for each in value]
        return value

    def original(self, text: str) -> str:
        """The English of a constant text of this language; the text itself where it is none."""
        return self._phrases.original(text) if self._phrases else text


@functools.cache
def translator(language: Language) -> Translator:
    """The translator of a language."""
    if language is Language.ENGLISH:
        return Translator(language, gettext.NullTranslations())
    locale = root("reports") / "locale"
    words = gettext.translation(DOMAIN, locale, [language.locale], fallback=True)
    verdicts = gettext.translation(VERDICTS, locale, [language.locale], fallback=True)
    texts: dict[Any, str] = getattr(verdicts, "_catalog", {})
    phrases = Phrases({key: text for key, text in texts.items() if isinstance(key, str) and key and text})
    return Translator(language, words, phrases)


def fill(template: str, facts: Mapping[str, Any], separator: str = ", ") -> str:
    """The template with `{name}` replaced by facts; a name without a fact stays as written, and nothing
    raises. `separator` stands between the items of a list.

    Names only: no attribute, index, conversion or format of a fact is ever reached from a template.
    """
    return "".join(
        text if name is None else fact_text(facts[name], separator) if name in facts else text
        for text, name in _pieces(template)
    )


@functools.lru_cache(maxsize=8192)
def _pieces(template: str) -> tuple[tuple[str, str | None], ...]:
    """A template taken apart once, as (text, name to be replaced or None): a scan fills a few hundred of them some ten
    thousand times. One with an unpaired or empty brace is shown as it is, rather than losing the message.
    """
    pieces: list[tuple[str, str | None]] = []
    try:
        for text, name, spec, conversion in string.Formatter().parse(template):
            if name == "":
                return ((template, None),)
            pieces.append((text, None))
            if name is not None:
                written = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
                pieces.append((f"{{{written}}}", name if written == name else None))
    except ValueError:
        return ((template, None),)
    return tuple(pieces)


def fact_text(fact: object, separator: str = ", ") -> str:
    """A fact as people write it: lists with commas, booleans as ARM spells them."""
    if isinstance(fact, bool):
        return "true" if fact else "false"
    if isinstance(fact, (list, tuple, set, frozenset)):
        return separator.join(sorted(map(str, fact)) if isinstance(fact, (set, frozenset)) else map(str, fact))
    return str(fact)
