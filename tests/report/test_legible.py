"""Hostile text: nothing invisible survives, nothing legible is lost."""

from __future__ import annotations

import shlex
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.report.legible import command_line, encodable, filled, legible, one_line, shown

texts = st.text(st.characters(exclude_categories=()), max_size=60)


@given(texts)
@settings(deadline=None)
def test_no_control_or_format_character_survives(text: str) -> None:
    for character in legible(text):
        assert character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp"), hex(
            ord(character)
        )
    legible(text).encode()


@given(texts)
@settings(deadline=None)
def test_twice_is_once(text: str) -> None:
    assert legible(legible(text)) == legible(text)


@given(texts)
@settings(deadline=None)
def test_one_line_is_one(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@pytest.mark.parametrize("text", ["网络参与者", "São Paulo", "🛡️ ok", "a\tb\nc", "naïve — “quoted”", "x̂"])
def test_ordinary_text_stays(text: str) -> None:
    assert legible(text) == text


# Every character that Unicode calls invisible or direction-giving and that a resource name may carry.
@pytest.mark.parametrize(
    "code",
    [
        *(0x00, 0x07, 0x1B, 0x7F, 0x85, 0x9B, 0xAD, 0x61C, 0x3164, 0xFEFF, 0xFFFE, 0xFFFF, 0xD800, 0xDFFF, 0xE0041),
        *(0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0x202E, 0x2060, 0x2066, 0x2069),
    ],
)
def test_is_spelled_out(code: int) -> None:
    assert legible(f"a{chr(code)}b") == f"a⟨U+{code:04X}⟩b"


@given(st.recursive(st.none() | st.booleans() | st.integers() | texts, lambda each: st.lists(each, max_size=3)))
@settings(deadline=None)
def test_whatever_was_read_can_be_encoded(value: Any) -> None:
    msgspec.json.encode(encodable(value))


def test_evidence_is_cut_with_its_length() -> None:
    assert shown("x" * 5000) == "x" * 2000 + "… (5,000 characters)"
    assert shown("") == '""'
    assert shown(None) == "null"
    assert shown({"a": True}) == '{"a": true}'


def test_a_template_reaches_no_attribute() -> None:
    assert filled("{x} {x.__class__} {y}", {"x": "rule"}).startswith("rule ")
    assert "class 'str'" not in filled("{x.__class__}", {"x": "rule"})
    assert filled("{x}", {"x": "{y}", "y": "never"}) == "{y}"


@given(st.lists(st.text(max_size=20).filter(lambda text: "\x00" not in text), min_size=1, max_size=5))
@settings(deadline=None)
def test_a_command_line_reads_back_into_its_arguments(argv: list[str]) -> None:
    assert shlex.split(command_line(tuple(argv))) == argv
