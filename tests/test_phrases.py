"""Texts that are facts: said in another language where the program made them, and left alone where Azure did."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.phrases import Phrases

PHRASES = Phrases(
    {
        "nothing": "无",
        "it was not read": "它未被读取",
        "collect again": "重新收集",
        "role definition {0}": "角色定义 {0}",
        "grants {0}{1}, at {2}": "授予 {0}{1}，范围 {2}",
        " through group {0}": "，通过组 {0}",
        "; deny assignments were not read": "；未读取拒绝分配",
        "{0} of {1}": "{1} 的 {0}",
        "braces {{{0}}} stay": "花括号 {{{0}}} 不变",
    }
)
SAID = {
    "a constant": ("it was not read", "它未被读取"),
    "a single word": ("nothing", "无"),
    "a place": ("role definition Reader", "角色定义 Reader"),
    "a text in a place": ("role definition nothing", "角色定义 无"),
    "no fragment": ("grants read, at /s", "授予 read，范围 /s"),
    "a fragment in the middle": ("grants read through group ops, at /s", "授予 read，通过组 ops，范围 /s"),
    "a fragment at the end": ("it was not read; deny assignments were not read", "它未被读取；未读取拒绝分配"),
    "texts in a row": ("it was not read; collect again", "它未被读取；重新收集"),
    "a name before a reason": ("rg-ml: it was not read", "rg-ml：它未被读取"),
    "a weak pattern between names": ("allow-443 of nsg-ml", "nsg-ml 的 allow-443"),
    "a weak pattern before an id": ("Network Contributor of /s/x", "/s/x 的 Network Contributor"),
    "braces": ("braces {x} stay", "花括号 {x} 不变"),
    "a name": ("vnet-hub", "vnet-hub"),
    "somebody's own words": ("Reader of all the things", "Reader of all the things"),
    "words that only begin alike": ("it was not read by me", "it was not read by me"),
}


@pytest.mark.parametrize(("text", "said"), SAID.values(), ids=SAID)
def test_said(text: str, said: str) -> None:
    assert PHRASES.said(text) == said


def test_a_constant_text_leads_back_to_its_english() -> None:
    assert PHRASES.original("它未被读取") == "it was not read"
    assert PHRASES.original("vnet-hub") == "vnet-hub"


@given(st.text(alphabet="ab ;:,{}0()/", max_size=30))
@settings(max_examples=200, deadline=None)
def test_no_text_of_others_is_changed_or_raises(text: str) -> None:
    assert Phrases({"it was not read": "它未被读取", "role definition {0}": "角色定义 {0}"}).said(text) == text
