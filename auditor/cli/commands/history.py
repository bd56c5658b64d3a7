"""`auditor history …`: past runs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from auditor.cli import text
from auditor.cli.app import COMMANDS
from auditor.cli.call import Call
from auditor.errors import UsageProblem

if TYPE_CHECKING:
    from auditor.history.records import RunRow
    from auditor.history.store import History


@click.group("history", short_help=COMMANDS["history"])
def command() -> None:
    """Past runs.

    They lie where AUDITOR_HISTORY says (an SQLAlchemy URL), by default in an SQLite file in the user's data
    folder. A run is named by its id or by the beginning of it.
    """


def _open(call: Call) -> History:
    from auditor.history import open_history

    settings = call.settings({})
    return open_history(settings.history, call.environment, create=False)


@command.command("list", short_help="Runs, newest first.")
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, metavar="N", help="At most N runs.")
@click.pass_obj
def list_(call: Call, limit: int) -> None:
    """List runs, newest first."""
    with _open(call) as history:
        click.echo(_table(history.runs(limit=limit)))


def _table(runs: tuple[RunRow, ...]) -> str:
    rows = [
        (
            run.id,
            run.started_at,
            "complete" if run.complete else "incomplete",
            "pinned" if run.pinned else "",
            text.outcomes(run.outcomes),
            text.drift(run.drift),
            _scopes(run),
        )
        for run in runs
    ]
    return text.table(("RUN", "STARTED", "COMPLETE", "PIN", "OUTCOMES", "DRIFT", "SCOPES"), rows)


def _scopes(run: RunRow) -> str:
    if len(run.scopes) <= 2:
        return " ".join(run.scopes)
    return f"{run.scopes[0]} and {len(run.scopes) - 1} more"


@command.command(short_help="One run, and the nights before it.")
@click.argument("run_id", metavar="RUN-ID")
@click.pass_obj
def show(call: Call, run_id: str) -> None:
    """Show one run, what deviates in it, and the nights of the same scopes."""
    with _open(call) as history:
        run = history.show(run_id)
        report = history.report(run.id)
        trend = history.trend(run.scopes)
    click.echo(_table((run,)))
    deviating = [finding for finding in report.findings if finding.outcome.deviating]
    if deviating:
        click.echo()
        rows = [
            (
                finding.id,
                finding.severity,
                finding.outcome,
                finding.drift.state if finding.drift else "-",
                finding.check,
                finding.resource.name,
            )
            for finding in deviating
        ]
        click.echo(text.table(("FINDING", "SEVERITY", "OUTCOME", "DRIFT", "CHECK", "RESOURCE"), rows))
    click.echo()
    nights = [
        (
            point.started_at,
            "complete" if point.complete else "incomplete",
            text.outcomes(point.summary.outcomes),
            text.drift(point.summary.drift),
        )
        for point in trend
    ]
    click.echo(text.table(("NIGHT", "COMPLETE", "OUTCOMES", "DRIFT"), nights))


@command.command(short_help="Accept a run as the baseline of its scopes.")
@click.argument("run_id", metavar="RUN-ID")
@click.pass_obj
def pin(call: Call, run_id: str) -> None:
    """Accept a run: later scans of the same scopes are compared with it until it is unpinned."""
    with _open(call) as history:
        run = history.pin(run_id)
    call.say(f"pinned {run.id} ({run.started_at}); scans of its scopes are now compared with it")


@command.command(short_help="Take the pin off a run.")
@click.argument("run_id", metavar="RUN-ID")
@click.pass_obj
def unpin(call: Call, run_id: str) -> None:
    """Take the pin off a run: later scans are compared with the newest complete run again."""
    with _open(call) as history:
        run = history.unpin(run_id)
    call.say(f"unpinned {run.id}")


@command.command(short_help="Remove old runs.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="Keep the N newest runs of each set of scopes.")
@click.option("--older-than", metavar="AGE", help="Only runs older than this: 90d, 12w, or a date (2026-01-31).")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.pass_obj
def prune(call: Call, keep: int | None, older_than: str | None, dry_run: bool) -> None:
    """Remove old runs. Pinned runs and the newest complete run of each set of scopes always stay."""
    if keep is None and older_than is None:
        raise UsageProblem("`auditor history prune` needs --keep or --older-than", hint="such as --keep 90")
    before = None if older_than is None else _before(older_than, call)
    with _open(call) as history:
        taken = history.prune(keep=keep, before=before, dry_run=dry_run)
    for run in taken:
        click.echo(run.id)
    call.say(f"{'would remove' if dry_run else 'removed'} {text.count(len(taken), 'run')}")


def _before(age: str, call: Call) -> str:
    """The RFC 3339 time that `90d`, `12w` or a date means."""
    found = re.fullmatch(r"(\d{1,5})([dw])", age.strip())
    if found:
        span = timedelta(days=int(found[1]) * (7 if found[2] == "w" else 1))
        try:
            return (call.clock() - span).strftime("%Y-%m-%dT%H:%M:%SZ")
        except OverflowError:
            raise UsageProblem(f"`{age}` lies before all calendars") from None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", age.strip()):
        return f"{age.strip()}T00:00:00Z"
    raise UsageProblem(f"`{age}` is no age", hint="such as 90d, 12w or 2026-01-31")
