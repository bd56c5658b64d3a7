"""`auditor explain FINDING-ID`: how a verdict was reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.errors import UsageProblem

if TYPE_CHECKING:
    from auditor.findings import Finding
    from auditor.i18n import Translator


@_command("explain")
@click.argument("finding_id", metavar="FINDING-ID")
@click.option("--report", "report", metavar="FILE", help="Take it from this report.json instead of the history.")
@click.option("--run", "run_id", metavar="RUN-ID", help="As this run of the history saw it, instead of the newest.")
@click.option("--json", "as_json", is_flag=True, help="The finding as JSON, as in report.json.")
@click.option("--lang", metavar="en|zh-CN", help="The language to explain in.")
@click.pass_obj
def command(
    call: Call, finding_id: str, report: str | None, run_id: str | None, as_json: bool, lang: str | None
) -> None:
    """Show how a verdict was reached, step by step, with its evidence, its source and how to mend it.

    FINDING-ID, or the beginning of one, is in every report, and behind `#` in a link into report.html.
    """
    settings = call.settings({"lang": lang})
    wanted = finding_id.lstrip("#").casefold()
    finding = (
        _in_report(Path(report), wanted) if report is not None else _in_history(call, settings.history, wanted, run_id)
    )
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(finding, order="deterministic"), indent=2))
        return
    from auditor.i18n import choose, translator

    click.echo("\n".join(explained(finding, translator(choose(settings.lang, call.environment)))))


def _in_report(path: Path, wanted: str) -> Finding:
    from auditor.report import read_report

    findings = read_report(path).findings
    found = [each for each in findings if each.id.startswith(wanted)]
    if len(found) == 1 and wanted:
        return found[0]
    if len(found) > 1:
        raise UsageProblem(f"`{wanted}` begins {len(found)} findings of {path}", hint="give more of its id")
    raise UsageProblem(f"{path} has no finding `{wanted}`", hint="ids are the 20 hex digits in the report")


def _in_history(call: Call, url: str | None, wanted: str, run_id: str | None) -> Finding:
    from auditor.history import open_history

    with open_history(url, call.environment, create=False) as history:
        found = history.finding(wanted, run_id)
    if found is None:
        raise UsageProblem(f"no run of the history has a finding `{wanted}`", hint="or name a file: --report FILE")
    return found[1]


def explained(finding: Finding, speaker: Translator) -> list[str]:
    """The finding as lines of text."""
    from auditor.report.legible import one_line, shown

    about = [finding.resource.id] + ([f"part: {finding.part}"] if finding.part else [])
    lines = [
        f"{finding.severity} {finding.outcome}: {one_line(finding.title)}",
        f"  {one_line(speaker.format(finding.template, finding.facts) if finding.template else finding.message)}",
        *(f"  {one_line(line)}" for line in about),
        f"  check {finding.check}, reason {finding.reason}, finding {finding.id}",
    ]
    if finding.drift is not None:
        since = f" since {finding.drift.since}" if finding.drift.since else ""
        lines.append(f"  drift: {finding.drift.state}{since}")
    if finding.waiver is not None:
        waiver = finding.waiver
        lines.append(f"  waived by {one_line(waiver.owner)} until {waiver.expires}: {one_line(waiver.reason)}")
    if finding.trace:
        lines += ["", speaker.gettext("How it was decided")]
        for number, step in enumerate(finding.trace, start=1):
            lines.append(f"  {number}. {one_line(speaker.format(step.text, step.facts))}")
    if finding.evidence:
        lines += ["", speaker.gettext("Evidence")]
        for each in finding.evidence:
            note = f"  ({one_line(each.note)})" if each.note else ""
            lines.append(f"  {one_line(each.resource)}")
            lines.append(f"    {each.path} = {one_line(shown(each.value))}{note}")
    if finding.effect is not None and (finding.effect.added or finding.effect.removed):
        lines += ["", speaker.gettext("What it permits has moved")]
        lines += [f"  + {one_line(item)}" for item in finding.effect.added]
        lines += [f"  - {one_line(item)}" for item in finding.effect.removed]
    source = finding.source
    lines += ["", speaker.gettext("Source"), f"  {source.document}, {source.section}: {source.url}"]
    if finding.remediation.summary:
        lines += ["", speaker.gettext("How to mend it"), f"  {one_line(finding.remediation.summary)}"]
        lines += [f"  $ {one_line(each.text)}" for each in finding.remediation.commands]
    return lines
