"""`auditor version`: what a defect report needs to know."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from auditor import __version__
from auditor.cli.app import command as _command

SHOWN = (
    "azure-identity",
    "azure-mgmt-resourcegraph",
    "azure-mgmt-network",
    "azure-mgmt-containerservice",
    "azure-mgmt-authorization",
    "msgspec",
    "jinja2",
    "sqlalchemy",
    "apscheduler",
    "duckdb",
    "duckdb-kql",
)


@_command("version")
def command() -> None:
    """Print the version of auditor, of Python, and of the libraries that it talks through."""
    click.echo(f"auditor {__version__}")
    click.echo(f"python {platform.python_version()} ({platform.system()} {platform.machine()})")
    for name in SHOWN:
        click.echo(f"{name} {_installed(name)}")


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
