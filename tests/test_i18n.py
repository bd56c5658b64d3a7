"""Which language is spoken, and messages filled from facts that may hold anything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.i18n import Language, choose, fill, translator

EN, ZH = Language.ENGLISH, Language.CHINESE

LOCALES = {
    "nothing": ({}, EN),
    "C": ({"LANG": "C.UTF-8"}, EN),
    "mainland": ({"LANG": "zh_CN.UTF-8"}, ZH),
    "Singapore": ({"LC_MESSAGES": "zh_SG"}, ZH),
    "script": ({"LANG": "zh_Hans_CN.UTF-8"}, ZH),
    "bare": ({"LANG": "zh"}, ZH),
    "Taiwan reads traditional": ({"LANG": "zh_TW.UTF-8"}, EN),
    "German is not spoken": ({"LANG": "de_DE.UTF-8"}, EN),
    "LC_ALL before LANG": ({"LC_ALL": "en_GB.UTF-8", "LANG": "zh_CN.UTF-8"}, EN),
    "LANGUAGE before all": ({"LANGUAGE": "zh_CN:en", "LC_ALL": "en_US.UTF-8"}, ZH),
    "first spoken of a list": ({"LANGUAGE": "fr:zh_CN:en"}, ZH),
    "empty counts as unset": ({"LC_ALL": "", "LANG": "zh_CN"}, ZH),
    "modifier": ({"LANG": "zh_CN@pinyin"}, ZH),
}


@pytest.mark.parametrize(("environ", "language"), LOCALES.values(), ids=LOCALES)
def test_people_are_spoken_to_in_their_locale(environ: dict[str, str], language: Language) -> None:
    assert choose(None, environ) is language


def test_machines_are_spoken_to_in_english_unless_told() -> None:
    assert choose(None, {"LANG": "zh_CN.UTF-8"}, machine_format=True) is EN
    assert choose("zh-CN", {}, machine_format=True) is ZH
    assert choose("en", {"LANG": "zh_CN.UTF-8"}) is EN


FILLED = {
    "a name": ("{subnet} is delegated", {"subnet": "aci"}, "aci is delegated"),
    "a list": ("open: {ports}", {"ports": ["22", "80"]}, "open: 22, 80"),
    "a set in order": ("open: {ports}", {"ports": {"80", "22"}}, "open: 22, 80"),
    "ARM's booleans": ("{on}/{off}", {"on": True, "off": False}, "true/false"),
    "a fact that is missing": ("{a} and {b}", {"a": 1}, "1 and {b}"),
    "braces in a fact stay text": ("{name}", {"name": "{evil} %s"}, "{evil} %s"),
    "no attribute of a fact": ("{name.__class__}", {"name": "x"}, "{name.__class__}"),
    "no item of a fact": ("{name[0]}", {"name": "x"}, "{name[0]}"),
    "doubled braces": ("{{{name}}}", {"name": "x"}, "{x}"),
    "unpaired brace": ("{name", {"name": "x"}, "{name"),
    "positional": ("{} {0}", {"0": "x"}, "{} {0}"),
}


@pytest.mark.parametrize(("template", "facts", "text"), FILLED.values(), ids=FILLED)
def test_facts_fill_templates(template: str, facts: dict[str, object], text: str) -> None:
    assert fill(template, facts) == text
    assert translator(EN).format(template, facts) == text


@given(template=st.text(alphabet="{}ab!:.[]0 ", max_size=20), fact=st.text(max_size=5))
@settings(max_examples=300, deadline=None)
def test_no_template_raises(template: str, fact: str) -> None:
    assert isinstance(fill(template, {"a": fact, "b": [fact]}), str)


def test_without_a_translation_english_stands() -> None:
    assert translator(ZH).gettext("a sentence that nobody has written yet") == "a sentence that nobody has written yet"
    assert translator(ZH).gettext("") == ""
    assert translator(EN).ngettext("{n} check", "{n} checks", 2) == "{n} checks"
