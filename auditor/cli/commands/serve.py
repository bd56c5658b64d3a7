"""`auditor serve --cron EXPR`: scans on a schedule until it is stopped."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.options import settings_flags
from auditor.config import keys

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.service import Night

FLAGS = tuple(name for name, key in keys().items() if key.flag and name != "snapshot")


@_command("serve")
@click.option("--cron", required=True, metavar="EXPR", help="Minute, hour, day, month, weekday: '0 2 * * *'.")
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="Whose clock the schedule reads: Asia/Shanghai.",
)
@settings_flags(*FLAGS)
@click.pass_obj
def command(call: Call, /, cron: str, timezone: str, **flags: Any) -> int:
    """Scan on a schedule until SIGTERM or Ctrl-C: each night one run in the history, the reports written
    anew.

    A scan that fails is told in a line and does not end the service. A night missed while nobody served is
    made up for once at the start.
    """
    from auditor.cli.audit import audit, destination
    from auditor.report import prepare
    from auditor.service import parse_schedule, serve
    from auditor.values import silent

    settings = call.settings(flags)
    schedule = parse_schedule(cron, timezone)
    # What is wrong with the output is told now, to the person who starts the service, not at two in the
    # morning.
    prepare(settings.format, destination(settings), template=settings.template)

    def scan(night: Night) -> int:
        done = audit(call, settings, silent, stop=night.stop.is_set)
        for line in done.summary():
            call.say(line, quiet=settings.quiet)
        return done.exit_status

    serve(schedule, scan, say=call.say, clock=call.clock, last_started=_last_started(call, settings))
    return 0


def _last_started(call: Call, settings: Settings) -> datetime | None:
    """When the newest run of these scopes began; None if the history does not know."""
    from auditor.history import HistoryProblem, open_history

    if settings.no_history:
        return None
    scopes = [f"/subscriptions/{each}" for each in settings.subscription]
    scopes += [f"/providers/microsoft.management/managementgroups/{each}" for each in settings.management_group]
    try:
        with open_history(settings.history, call.environment, create=False) as history:
            runs = history.runs(scopes or None, limit=1)
    except HistoryProblem:
        return None
    return datetime.fromisoformat(runs[0].started_at) if runs else None
