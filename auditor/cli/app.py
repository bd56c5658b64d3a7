"""The table of commands; none of them is imported before it is called."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import click

from auditor import __version__

COMMANDS = {
    "demo": "Scan a sample estate over the wire, let it drift, scan again; nothing to configure.",
    "scan": "Audit an estate, live or from a snapshot.",
    "collect": "Only collect: write a snapshot for a later scan.",
    "diff": "What drifted between any two runs, report files or snapshots.",
    "explain": "How a verdict was reached, step by step.",
    "checks": "The catalogue of checks, or one check's page.",
    "doctor": "Before a scan: what will not be readable, and what to grant.",
    "permissions": "The least-privilege role definition that a scan needs.",
    "history": "Past runs: list, show, pin, unpin, prune.",
    "waivers": "Accepted deviations: check a file of them.",
    "serve": "The service: scans on schedules and on demand, dashboard, API.",
    "notify": "Sending on: try a receiver; what waits, what was given up; send it now, again, or drop it.",
    "token": "API tokens of the service: create, list, revoke.",
    "replica": "Serve an estate as Azure would, on loopback, for tests and demonstrations.",
    "version": "The version, and those of what it runs on.",
}
"""Every command's name and what it does, in the order of the help; `auditor.cli.commands.NAME` holds
`command`.
"""


class Commands(click.Group):
    """Commands imported when they are asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        found = importlib.import_module(f"auditor.cli.commands.{name}").command
        if not isinstance(found, click.Command):
            raise TypeError(f"auditor.cli.commands.{name} has no `command`")
        return found

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


STATUSES: Mapping[int, str] = {
    0: "nothing at or above --fail-on",
    1: "findings at or above it",
    2: "a mistake in usage, configuration or a snapshot",
    3: "the scan is incomplete (wins over 1; the findings are still written)",
    4: "nothing could be read at all",
}
"""The exit statuses of `auditor scan`."""

_EPILOG = "\b\nExit status of a scan:\n" + "\n".join(f"  {n}  {meaning}" for n, meaning in STATUSES.items())


@click.group(cls=Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="auditor", message="%(prog)s %(version)s")
def cli() -> None:
    """Compliance auditor and drift scanner for Azure Machine Learning inference in virtual networks."""


def command(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """`click.command` with the table's short help."""
    return click.command(name, click.Command, short_help=COMMANDS.get(name), **attributes)
