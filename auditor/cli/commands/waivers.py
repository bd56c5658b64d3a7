"""`auditor waivers check`: is a file of accepted deviations sound?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.app import COMMANDS
from auditor.cli.call import Call
from auditor.cli.options import settings_flags
from auditor.errors import UsageProblem


@click.group("waivers", short_help=COMMANDS["waivers"])
def command() -> None:
    """Accepted deviations. A waiver never hides a finding; the report shows it as waived, by whom and until
    when.
    """


@command.command(short_help="Is a waiver file sound?")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@settings_flags("config", "checks_dir")
@click.pass_obj
def check(call: Call, /, file: Path | None, **flags: Any) -> int:
    """Say what is wrong with a waiver file, each problem with its line; without FILE, the configured one."""
    from auditor.cli import text
    from auditor.evaluate import load_catalogue
    from auditor.waivers import load

    settings = call.settings(flags)
    path = file or settings.waivers
    if path is None:
        raise UsageProblem("no waiver file is named", hint="auditor waivers check FILE, or `waivers` in auditor.toml")
    catalogue = load_catalogue(settings.checks_dir)
    rules = load(path, [name for each in catalogue for name in (each.id, *each.aliases)])
    call.say(f"{path}: {text.count(len(rules), 'waiver')}, nothing wrong")
    return 0
