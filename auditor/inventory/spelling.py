"""Walks a decoded body along its Struct: respells property names, and keeps only what is on the allow-list.

ARM's property names compare without case (ARM RPC, "resource API reference"), and bodies written through old tools do
come back in odd casing. A name that we missed for its casing would read as "not set", and "no security group" or "no
route table" could turn a verdict green; so an odd spelling is recognised and mended before the typed decode.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from typing import Any

import msgspec

from auditor.inventory.shapes import BODIES, CHILDREN, Child, Envelope, Identity, Shape, Sku

_KEY = re.compile(rb'"([A-Za-z][A-Za-z0-9]{1,79})"\s*:')


@functools.cache
def _fields(shape: type[msgspec.Struct]) -> dict[str, tuple[str, Any]]:
    """Folded name → (ARM's spelling, annotation) of one Struct."""
    hints = typing.get_type_hints(shape)
    return {f.encode_name.casefold(): (f.encode_name, hints[f.name]) for f in msgspec.structs.fields(shape)}


def _arms(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.get_args(annotation)
    return (annotation,)


@functools.cache
def _names(shape: type[msgspec.Struct], body_type: str) -> frozenset[str]:
    """All names that occur anywhere inside one body, as ARM spells them."""
    found: set[str] = set()
    seen: set[Any] = set()

    def visit(annotation: Any) -> None:
        for arm in _arms(annotation):
            if isinstance(arm, type) and issubclass(arm, msgspec.Struct):
                if arm in seen:
                    continue
                seen.add(arm)
                for name, inner in _fields(arm).values():
                    found.add(name)
                    visit(inner)
            else:
                for inner in typing.get_args(arm):
                    visit(inner)

    visit(shape)
    for child_type in CHILDREN.get(body_type, {}).values():
        visit(BODIES[child_type])
    return frozenset(found)


@functools.cache
def _folded_names(body_type: str) -> frozenset[str]:
    return frozenset(name.casefold() for name in _names(BODIES[body_type], body_type))


_MOST_REMEMBERED = 4096
_usual: dict[str, set[bytes]] = {}
"""Names met in bodies of a type and found not to be odd: nearly all bodies of a type hold the same names."""


def _odd(body_type: str, key: bytes) -> bool:
    name = key.decode("ascii")
    return name not in _names(BODIES[body_type], body_type) and name.casefold() in _folded_names(body_type)


def spelled_oddly(body_type: str, raw: bytes) -> bool:
    """Whether a raw body holds a known property name in another casing than ARM's (may say True without need)."""
    usual = _usual.setdefault(body_type, set())
    unusual = set(_KEY.findall(raw)) - usual
    if not unusual:
        return False
    odd = {key for key in unusual if _odd(body_type, key)}
    if len(usual) < _MOST_REMEMBERED:
        usual |= unusual - odd
    return bool(odd)


def respell(body_type: str, value: Any) -> Any:
    """The decoded body with its property names as ARM spells them; unknown ones stay."""
    return _walk(value, BODIES[body_type], body_type, keep_unknown=True)


def _blank(value: Any) -> Any:
    """An empty value of the same JSON kind: still of the wrong type where another was due, but without content."""
    if isinstance(value, dict):
        return {}
    if isinstance(value, list):
        return []
    return value


def _walk(value: Any, annotation: Any, body_type: str, *, keep_unknown: bool) -> Any:
    for arm in _arms(annotation):
        if arm is Child and isinstance(value, dict):
            return value if keep_unknown else {k: value[k] for k in ("id", "name", "properties") if k in value}
        if isinstance(arm, type) and issubclass(arm, msgspec.Struct) and isinstance(value, dict):
            return _walk_struct(value, arm, body_type, keep_unknown=keep_unknown)
        origin = typing.get_origin(arm)
        if origin is list and isinstance(value, list):
            (inner,) = typing.get_args(arm)
            return [_walk(item, inner, body_type, keep_unknown=keep_unknown) for item in value]
        if origin is dict and isinstance(value, dict):
            inner = typing.get_args(arm)[1]
            return {k: _walk(item, inner, body_type, keep_unknown=keep_unknown) for k, item in value.items()}
        if arm is Any:
            return value
    if keep_unknown:
        return value
    return "" if isinstance(value, str) and str not in _arms(annotation) else _blank(value)


def _walk_struct(
    value: dict[str, Any], shape: type[msgspec.Struct], body_type: str, *, keep_unknown: bool
) -> dict[str, Any]:
    fields = _fields(shape)
    children = CHILDREN.get(body_type, {}) if shape is BODIES.get(body_type) else {}
    result: dict[str, Any] = {}
    for key, item in value.items():
        known = fields.get(key.casefold())
        if known is None:
            if keep_unknown:
                result[key] = item
            continue
        name, annotation = known
        if name in result and key != name:
            continue
        if name in children and not isinstance(item, list):
            result[name] = item if keep_unknown else _blank("" if isinstance(item, str) else item)
        elif name in children:
            result[name] = [_walk_child(child, children[name], keep_unknown=keep_unknown) for child in item]
        else:
            result[name] = _walk(item, annotation, body_type, keep_unknown=keep_unknown)
    return result


def _walk_child(value: Any, child_type: str, *, keep_unknown: bool) -> Any:
    if not isinstance(value, dict):
        return value if keep_unknown else _blank(value)
    result: dict[str, Any] = {}
    for key, item in value.items():
        folded = key.casefold()
        if folded == "properties":
            result["properties"] = _walk(item, BODIES[child_type], child_type, keep_unknown=keep_unknown)
        elif folded in ("id", "name"):
            result[folded] = item
        elif keep_unknown:
            result[key] = item
    return result


_ENVELOPE: dict[str, Any] = {"sku": Sku | str | None, "identity": Identity | None}
_PLAIN = ("id", "type", "name", "location", "kind", "managedBy", "tags")


def keep_allowed(row: dict[str, Any]) -> dict[str, Any] | None:
    """A row reduced to what the inventory reads; None for a type that no check uses.

    What lies on no reviewed path is dropped, also where a body's shape is not the expected one. Special rows
    (`auditor/…`) pass whole: they are our own.
    """
    row_type = str(row.get("type", "")).casefold()
    if row_type.startswith("auditor/"):
        return row
    if row_type not in BODIES:
        return None
    kept: dict[str, Any] = {key: row[key] for key in _PLAIN if row.get(key) is not None}
    for key, annotation in _ENVELOPE.items():
        if row.get(key) is not None:
            kept[key] = _walk(row[key], annotation, "", keep_unknown=False)
    if row.get("properties") is not None:
        kept["properties"] = _walk(row["properties"], BODIES[row_type], row_type, keep_unknown=False)
    return kept


__all__ = ["Envelope", "Shape", "keep_allowed", "respell", "spelled_oddly"]
