"""`auditor scan`: one scan, its reports, and what it says in five lines."""

from __future__ import annotations

from typing import Any

import click

from auditor.cli.app import STATUSES
from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.options import settings_flags

_EPILOG = "\b\nExit status:\n" + "\n".join(f"  {status}  {meaning}" for status, meaning in STATUSES.items())


@_command("scan", epilog=_EPILOG)
@settings_flags()
@click.pass_obj
def command(call: Call, /, **flags: Any) -> int:
    """Audit an estate, live or from a snapshot, and compare it with its baseline.

    Without --subscription or --management-group everything that the identity may read is audited.
    Credentials are azure-identity's: its environment variables, a managed identity, or `az login`.
    """
    from auditor.cli.audit import audit

    settings = call.settings(flags)
    with call.display(quiet=settings.quiet) as progress:
        done = audit(call, settings, progress)
    for line in done.summary():
        call.say(line, quiet=settings.quiet)
    return done.exit_status
