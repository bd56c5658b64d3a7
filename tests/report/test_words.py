"""The report in another language: complete, not stale, and with the same placeholders."""

from __future__ import annotations

import re

import pytest

from auditor.report import render_html
from auditor.report.triage import verdict
from auditor.report.wording import languages, wording
from scripts import messages
from tests.report import sample

LOCALES = sorted(folder.name for folder in messages.LOCALE.iterdir())
_PLACE = re.compile(r"\{\w+\}|%\(\w+\)s")
_CODE = re.compile(r"`[^`]+`")  # commands and names that a reader copies


each_catalogue = pytest.mark.parametrize(
    ("locale", "domain"), [(locale, d) for locale in LOCALES for d in messages.DOMAINS]
)


@each_catalogue
def test_every_text_is_translated_and_none_is_stale(locale: str, domain: str) -> None:
    known, said = messages.read(locale, domain), messages.DOMAINS[domain]()
    assert [message.id for message in said if message.id and message.id not in known] == [], "run scripts/messages.py"
    assert [message.id for message in known if message.id and message.id not in said] == [], "run scripts/messages.py"
    assert [message.id for message in known if message.id and not messages.translated(message)] == []


@each_catalogue
def test_every_translation_keeps_the_placeholders(locale: str, domain: str) -> None:
    for message in messages.read(locale, domain):
        if not message.id:
            continue
        wanted = message.id if isinstance(message.id, str) else message.id[0]
        for given in messages.forms(message):
            assert sorted(_PLACE.findall(given)) == sorted(_PLACE.findall(wanted)), wanted
            assert sorted(_CODE.findall(given)) == sorted(_CODE.findall(wanted)), wanted


@each_catalogue
def test_the_compiled_catalogue_is_that_of_the_text(locale: str, domain: str) -> None:
    compiled = messages.LOCALE / locale / "LC_MESSAGES" / f"{domain}.mo"
    assert compiled.read_bytes() == messages.as_mo(messages.read(locale, domain)), "run scripts/messages.py"


def test_chinese_is_offered_and_spoken() -> None:
    assert languages() == ("en", "zh-CN")
    assert verdict(sample.night(), wording("zh-CN")).headline == "3 项新增或变化的偏差。"
    page = render_html(sample.night(), lang="zh-CN")
    assert '<html lang="zh-CN">' in page
    assert "覆盖范围" in page


def test_an_unknown_language_is_english() -> None:
    assert verdict(sample.night(), wording("tlh")).headline == "3 deviations are new or changed."
