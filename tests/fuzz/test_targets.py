"""The corpus is read or refused, and so is more of its kind; the steps that this takes grow as the input does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.damage import damaged_bytes, hurt, often
from tests.fuzz.targets import TARGETS, tried

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())
QUICK = tuple(name for name in TARGETS if name != "judged")


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in FILES} == set(TARGETS)
    assert sum(path.stat().st_size for path in FILES) < 100_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_corpus_is_answered_or_refused_in_words(path: Path) -> None:
    tried(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("name", QUICK)
@often(30)
@given(st.data())
def test_so_is_a_damaged_corpus(name: str, data: st.DataObject) -> None:
    content = data.draw(st.sampled_from([path.read_bytes() for path in FILES if path.parent.name == name]))
    for how in data.draw(st.lists(damaged_bytes, max_size=5)):
        content = hurt(content, how)
    tried(name, content + data.draw(st.binary(max_size=20)))


def steps(call: Callable[[], Any]) -> int:
    """How many functions a call calls, Python's and C's: work that is counted, not timed."""
    count = 0

    def profile(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before)
    return count


ROW = (
    b'{"id":"/subscriptions/5b000000-0000-4000-8000-000000000001/resourceGroups/g/providers/Microsoft.Network/'
    b'routeTables/t%d","type":"microsoft.network/routetables","name":"t%d","properties":{"routes":[]}}\n'
)
GROWING: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "rows": ("snapshot", lambda n: b"".join(ROW % (at, at) for at in range(n))),
    "the same row": ("snapshot", lambda n: ROW % (1, 1) * n),
    "broken rows": ("snapshot", lambda n: b'{"id": \n' * n),
    "a deep row": ("snapshot", lambda n: b'{"id":"/x","properties":' + b"[" * n),
    "settings": ("settings", lambda n: b"".join(b"key%d = 1\n" % at for at in range(n))),
    "a long setting": ("settings", lambda n: b"check = [" + b"'nsg-*'," * n + b"]"),
    "waivers": ("waiver_file", lambda n: b'[[waiver]]\ncheck = "*"\n' * n),
    "prefixes": ("rule", lambda n: b"100\nInbound\nAllow\nTcp\n" + b"10.0.0.0/8," * n + b"\n*\n*\n*"),
    "far prefixes": (
        "rule",
        lambda n: (
            b"100\nInbound\nAllow\nTcp\n" + b",".join(b"10.%d.%d.0/25" % (at // 250, at % 250) for at in range(n))
        ),
    ),
    "ports": (
        "rule",
        lambda n: b"100\nInbound\nAllow\nTcp\n*\n*\n*\n" + b",".join(b"%d" % (2 * at) for at in range(n)),
    ),
    "brackets": ("access", lambda n: b"(" * n),
    "not, not": ("access", lambda n: b"!" * n),
    "alternatives": ("access", lambda n: b"ActionMatches{'a'} || " * n),
    "stars": ("access", lambda n: b"Microsoft.Network/" + b"*" * n),
}


@pytest.mark.parametrize(("name", "of_size"), GROWING.values(), ids=GROWING)
def test_twice_the_input_takes_not_much_more_than_twice_the_steps(name: str, of_size: Callable[[int], bytes]) -> None:
    tried(name, of_size(8))  # imports and caches
    one, two = (steps(lambda size=size: tried(name, of_size(size))) for size in (256, 512))  # type: ignore[misc]
    assert two <= 2.5 * one + 200, (one, two)
