"""`auditor checks [ID]`: the catalogue."""

from __future__ import annotations

from typing import Any

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.options import settings_flags


@_command("checks")
@click.argument("check_id", metavar="[ID]", required=False)
@settings_flags("checks_dir", "config")
@click.pass_obj
def command(call: Call, /, check_id: str | None, **flags: Any) -> None:
    """List the checks, or print one check's page."""
    from auditor.cli import text
    from auditor.cli.pages import check_page
    from auditor.evaluate import load_catalogue

    settings = call.settings(flags)
    catalogue = load_catalogue(settings.checks_dir)
    if check_id is not None:
        click.echo(check_page(catalogue.find(check_id)).rstrip())
        return
    rows = [(check.id, settings.severity.get(check.id, check.severity), check.title) for check in catalogue]
    click.echo(text.table(("CHECK", "SEVERITY", "WHAT MUST HOLD"), rows))
    call.say(f"{text.count(len(catalogue), 'check')}; `auditor checks ID` prints a check's page")
