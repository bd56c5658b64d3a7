"""The allow-list of what `collect` keeps, in a form to be reviewed: every property path, a type at a time."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from auditor.inventory.shapes import BODIES, CHILDREN
from auditor.inventory.spelling import _arms, _fields, keep_allowed


def paths(body_type: str) -> tuple[str, ...]:
    """All property paths of one type that are kept, as `properties.networkProfile.serviceCidr` or `…rules[].name`."""
    return tuple(sorted(set(_paths(BODIES[body_type], "properties", body_type))))


def _paths(annotation: Any, at: str, body_type: str) -> Iterator[str]:
    for arm in _arms(annotation):
        if isinstance(arm, type) and issubclass(arm, msgspec.Struct):
            for name, inner in _fields(arm).values():
                child_type = CHILDREN.get(body_type, {}).get(name) if arm is BODIES.get(body_type) else None
                if child_type is not None:
                    yield f"{at}.{name}[].name"
                    yield from _paths(BODIES[child_type], f"{at}.{name}[].properties", child_type)
                else:
                    yield from _paths(inner, f"{at}.{name}", body_type)
        elif typing.get_origin(arm) is list:
            yield from _paths(typing.get_args(arm)[0], at + "[]", body_type)
        elif typing.get_origin(arm) is dict:
            yield from _paths(typing.get_args(arm)[1], at + ".<any key>", body_type)
        elif arm is not type(None) and arm is not msgspec.UnsetType:
            yield at


__all__ = ["keep_allowed", "paths"]
