"""The report in another language: complete, not stale, and with the same placeholders."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from auditor.i18n import Language, Translator, translator
from auditor.report import render_csv, render_html, render_markdown
from auditor.report.triage import verdict
from auditor.report.wording import languages, wording
from scripts import messages
from tests.report import factory, sample

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


CHINESE_RUN, ENGLISH_RUN = translator(Language.CHINESE), translator(Language.ENGLISH)


SAID = {
    "en": (
        "The API server is private",
        "snet-nodes could not be read: its region is not in its data",
        "allowed by no rule, rule-b",
        "grant Reader on the cluster and collect again",
    ),
    "zh-CN": (
        "API 服务器是专用的",
        "无法读取 snet-nodes：其数据中没有区域",
        "由 无规则、rule-b 允许",
        "授予群集的读取者角色，然后重新收集",
    ),
}


@pytest.mark.parametrize("run", [ENGLISH_RUN, CHINESE_RUN], ids=["English run", "Chinese run"])
@pytest.mark.parametrize("lang", SAID)
def test_findings_are_told_in_the_readers_language_whatever_the_run_spoke(run: Translator, lang: str) -> None:
    report = factory.unread(run)
    without_scripts = render_html(report, lang=lang).split("<noscript>")[1].split("</noscript>")[0]
    markdown = render_markdown(report, lang=lang).decode()
    for text in SAID[lang]:
        assert text in without_scripts
    for text in SAID[lang][:2]:
        assert text in markdown
    [other] = SAID.keys() - {lang}
    assert not [text for text in SAID[other] if text in without_scripts + markdown]


def test_a_message_that_is_not_its_templates_is_shown_as_it_stands() -> None:
    finding = structs.replace(factory.unread(ENGLISH_RUN).findings[0], message="snet-nodes was edited by hand")
    page = render_html(factory.report(finding), lang="zh-CN").split("<noscript>")[1]
    assert "snet-nodes was edited by hand" in page


def test_machines_are_told_what_the_run_said() -> None:
    assert SAID["en"][1] in render_csv(factory.unread(ENGLISH_RUN)).decode()
    assert SAID["zh-CN"][1] in render_csv(factory.unread(CHINESE_RUN)).decode()
