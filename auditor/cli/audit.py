"""A whole audit as a person or a schedule asks for it: ready to write, scan, reports, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from auditor.values import Progress

if TYPE_CHECKING:
    from auditor.cli.call import Call
    from auditor.config import Settings
    from auditor.findings import Report
    from auditor.report import TrendPoint

MOST_GAPS = 10
"""So many gaps are told on the terminal; the report has all."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit gave: its report, the files written, and the exit status."""

    report: Report
    written: tuple[Path, ...]
    exit_status: int

    def summary(self) -> list[str]:
        """What was found and where it lies, in a few lines of plain text."""
        return [*summary(self.report), *(f"wrote {path}" for path in self.written)]


def audit(call: Call, settings: Settings, progress: Progress, *, stop: Callable[[], bool] | None = None) -> Audit:
    """Scan and write the reports; whatever could keep them from being written is told before the scan starts."""
    from auditor import report as reports
    from auditor.i18n import choose
    from auditor.scan import scan

    output = destination(settings)
    reports.prepare(settings.format, output, template=settings.template)
    if settings.waivers is not None:
        from auditor.waivers import load

        load(settings.waivers)
    result = scan(settings, environment=call.environment, progress=progress, clock=call.clock, stop=stop)
    written = reports.write(
        result.report,
        settings.format,
        output,
        template=settings.template,
        group_by=settings.group_by,  # type: ignore[arg-type]  # checked against the same choices
        lang=choose(settings.lang, call.environment),
        history_trend=trend(call, settings, result.report),
    )
    return Audit(result.report, tuple(written), result.exit_status)


def destination(settings: Settings) -> Path | Literal["-"]:
    """Where reports go: a folder, or standard output."""
    return "-" if settings.output == "-" else Path(settings.output)


def trend(call: Call, settings: Settings, report: Report) -> list[TrendPoint]:
    """The last nights of these scopes, for the report's small chart; none where there is no history."""
    from auditor.history import HistoryProblem, open_history
    from auditor.report import TrendPoint

    if settings.no_history:
        return []
    try:
        with open_history(settings.history, call.environment) as history:
            points = history.trend([scope.id for scope in report.run.scopes])
    except HistoryProblem:
        return []  # the scan has said so already, in a note of the run
    return [
        TrendPoint(
            started_at=point.started_at,
            failing=point.summary.outcomes.get("fail", 0),
            unknown=point.summary.outcomes.get("unknown", 0),
            drifted=_drifted(point.summary.drift),
            complete=point.complete,
        )
        for point in points
    ]


def _drifted(counts: dict[str, int] | None) -> int:
    return sum(number for state, number in (counts or {}).items() if state != "unchanged")


def summary(report: Report) -> list[str]:
    """What a run found, in a few lines of plain text."""
    from auditor.cli import text
    from auditor.report.legible import one_line

    run = report.run
    audited = ", ".join(f"{number} {kind}" for kind, number in report.summary.resources.items() if number)
    lines = [
        f"run {run.id} of {text.count(len(run.scopes), 'scope')} in {run.cloud}: {audited or 'nothing to audit'}",
        f"findings: {text.outcomes(report.summary.outcomes)}"
        + (f" ({report.summary.waived} waived)" if report.summary.waived else ""),
    ]
    if report.baseline is None:
        lines.append("drift: none to tell, there is no run to compare with")
    else:
        lines.append(f"drift since {report.baseline.started_at}: {text.drift(report.summary.drift)}")
    required = [gap for gap in run.gaps if gap.required]
    if not run.complete:
        lines.append(f"incomplete: {text.count(len(required), 'gap')} in what was asked for")
    for gap in required[:MOST_GAPS]:
        lines.append(f"  {one_line(gap.scope)}: {one_line(gap.what)} ({gap.reason}); {one_line(gap.hint)}")
    if len(required) > MOST_GAPS:
        lines.append(f"  … and {len(required) - MOST_GAPS} more, all in the report")
    lines += [f"note: {one_line(note.text)}" for note in run.notes if note.kind == "history"]
    return lines
