"""`auditor diff OLD NEW`: drift between any two of run, report file and snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.options import settings_flags

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.findings import Report

SHOWN = ("new", "changed", "unverified", "resolved")


@_command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if something is new or changed, for a gate in a pipeline.")
@click.option("--json", "as_json", is_flag=True, help="The newer report with its drift, as JSON.")
@settings_flags("cloud", "checks_dir", "config", "lang")
@click.pass_obj
def command(call: Call, /, old: str, new: str, exit_code: bool, as_json: bool, **flags: Any) -> int:
    """Show what drifted from OLD to NEW.

    Each is a run's id (or the beginning of it), a report.json, or a snapshot, which is then judged now.
    """
    from auditor.cli import text
    from auditor.drift import diff

    settings = call.settings(flags)
    report = diff(_report(call, settings, old), _report(call, settings, new))
    if as_json:
        from auditor.report import render_json

        click.echo(render_json(report).decode(), nl=False)
    else:
        rows = [
            (
                finding.drift.state,
                finding.severity,
                finding.outcome,
                finding.check,
                finding.resource.name,
                finding.message,
            )
            for state in SHOWN
            for finding in report.findings
            if finding.drift is not None and finding.drift.state == state
        ]
        if rows:
            click.echo(text.table(("DRIFT", "SEVERITY", "OUTCOME", "CHECK", "RESOURCE", "MESSAGE"), rows))
        for change, resources in (("appeared", report.resources.appeared), ("gone", report.resources.disappeared)):
            for resource in resources:
                click.echo(text.table((change, resource.type, resource.id), ()))
        call.say(f"drift: {text.drift(report.summary.drift)}")
    counts = report.summary.drift or {}
    return 1 if exit_code and (counts.get("new") or counts.get("changed")) else 0


def _report(call: Call, settings: Settings, name: str) -> Report:
    """The report that a run's id, a report file or a snapshot stands for."""
    from auditor.scan import report_from

    if Path(name).exists():
        return report_from(Path(name), settings, call.environment)
    from auditor.history import open_history

    with open_history(settings.history, call.environment, create=False) as history:
        return history.report(name)
