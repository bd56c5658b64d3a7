"""`auditor scan`: one scan, its reports, and what it says in five lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.app import STATUSES
from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.options import settings_flags
from auditor.config import configuration_file
from auditor.errors import UsageProblem

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.notify import Courier

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
    courier = _courier(call, settings, flags) if settings.notify else None
    with call.display(quiet=settings.quiet) as progress:
        done = audit(call, settings, progress, beside=courier.beside() if courier is not None else None)
    for line in done.summary():
        call.say(line, quiet=settings.quiet)
    if courier is not None:
        from auditor.cli.telling import send_now

        courier.tell(done.report)
        send_now(call, settings, courier)
    return done.exit_status


def _courier(call: Call, settings: Settings, flags: Mapping[str, Any]) -> Courier:
    """Who sends on what is found. Whatever keeps it from that is told before the scan."""
    from auditor.cli.telling import courier_for, receivers

    if settings.no_history:
        raise UsageProblem("--notify keeps in the history what is to be sent, so it cannot do with --no-history")
    path, named = configuration_file(flags, call.environment, call.working_directory)
    targets = receivers(call, settings, path, named=named)
    if not targets:
        raise UsageProblem("--notify, and nobody to tell", hint="[[notify]] in the file of --config")
    return courier_for(call, settings, targets)
