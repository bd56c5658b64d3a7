"""How input is damaged: values of another type, parts taken away, bytes cut off or flipped. And how often."""

from __future__ import annotations

import copy
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Place = tuple[str | int, ...]

MANY = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Examples for each test in a long run (`make fuzz`); 0: few, for CI."""


def often(few: int) -> settings:
    """So many examples, or as many as a long run asks for; always the same ones in the short run."""
    return settings(
        max_examples=MANY or few,
        deadline=None,
        derandomize=not MANY,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )


def places(value: Any, here: Place = ()) -> list[Place]:
    """Every place inside a JSON value, as keys and indexes."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [here] if here else []
    for key, each in inner:
        found += places(each, (*here, key))
    return found


def at(value: Any, place: Place) -> Any:
    """What lies at a place."""
    for key in place:
        value = value[key]
    return value


def put(value: Any, place: Place, new: Any) -> Any:
    """A copy with another value at a place."""
    changed = copy.deepcopy(value)
    at(changed, place[:-1])[place[-1]] = new
    return changed


def without(value: Any, place: Place) -> Any:
    """A copy without what lies at a place."""
    changed = copy.deepcopy(value)
    del at(changed, place[:-1])[place[-1]]
    return changed


JUNK: tuple[Any, ...] = (
    17, -1, 1e308, True, "", "\x00", "nonsense", "/", "//", "/subscriptions/", "10.0.0.0/99", "\ud7ff" * 3, [], {},
    [None], [[]], [{}], {"id": 5}, {"properties": None}, [{"properties": []}], "0" * 5000,
)  # fmt: skip
"""Values that no property of ours holds in earnest."""


def another_type(value: Any) -> list[Any]:
    """Junk of another JSON type than a value has: nobody could mean it. Null is left out, ARM writes it for absence."""
    return [each for each in JUNK if type(each) is not type(value) and not ({type(each), type(value)} <= {int, float})]


damaged_bytes = st.tuples(st.sampled_from(("cut", "flip", "drop", "insert")), st.floats(0, 1), st.integers(0, 255))


def hurt(content: bytes, how: tuple[str, float, int]) -> bytes:
    """Bytes after one accident."""
    kind, where, byte = how
    at_ = int(where * max(0, len(content) - 1))
    if kind == "cut":
        return content[:at_]
    if kind == "flip":
        return content[:at_] + bytes([byte]) + content[at_ + 1 :]
    if kind == "drop":
        return content[:at_] + content[at_ + 1 + byte :]
    return content[:at_] + bytes([byte]) * 3 + content[at_:]
