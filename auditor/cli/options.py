"""Flags made from the settings themselves: a setting that has a flag has it here, and with the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from auditor.config import Key, keys

SHORT = {"output": ("-o",)}
"""Second names of flags."""

METAVARS = {
    "subscription": "ID",
    "management_group": "ID",
    "check": "GLOB",
    "exclude_check": "GLOB",
    "checks_dir": "DIR",
    "baseline": "auto|none|RUN-ID|FILE",
    "output": "DIR",
    "max_rps": "N",
    "tenant": "ID",
    "snapshot": "FILE",
}


def settings_flags(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The flags of these settings (of all that have one, if none are named), for a click command."""
    known = keys()
    chosen = names or tuple(name for name, key in known.items() if key.flag)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(chosen):
            function = _flag(name, known[name])(function)
        return function

    return decorate


def _flag(name: str, key: Key) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    spelled = (f"--{name.replace('_', '-')}", *SHORT.get(name, ()), name)
    if key.kind == "switch":
        return click.option(*spelled, is_flag=True, default=None, help=key.help)
    metavar = METAVARS.get(name) or ("|".join(key.choices) if key.choices else _metavar(key))
    if key.kind in ("list", "paths"):
        help_text = f"{key.help} Repeatable" + (", or separated by commas." if key.kind == "list" else ".")
        return click.option(*spelled, multiple=True, metavar=metavar, help=help_text, callback=_split(name, key))
    kind = click.FLOAT if key.kind == "number" else click.STRING
    return click.option(*spelled, type=kind, default=None, metavar=metavar, help=key.help)


def _metavar(key: Key) -> str:
    return {"path": "FILE", "number": "N"}.get(key.kind, "TEXT")


def _split(name: str, key: Key) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], tuple[str, ...] | None]:
    def split(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...] | None:
        if not given:
            return None
        # A path may hold a comma, an id or a glob may not.
        if key.kind == "paths" or name == "snapshot":
            return given
        return tuple(part.strip() for text in given for part in text.split(",") if part.strip())

    return split
