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
    from auditor.history.store import Beside
    from auditor.report import TrendPoint

MOST_GAPS = 10
"""So many gaps are told on the terminal; the report has all."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit gave: its report, the files written, and the exit status."""

    report: Report
    written: tuple[Path, ...]
    exit_status: int
    lang: str = "en"

    def summary(self) -> list[str]:
        """What was found and where it lies, in a few lines of plain text."""
        from auditor.report.wording import speaker

        wrote = speaker(self.lang).gettext("wrote {path}")
        return [*summary(self.report, self.lang), *(wrote.format(path=path) for path in self.written)]


def audit(
    call: Call,
    settings: Settings,
    progress: Progress,
    *,
    stop: Callable[[], bool] | None = None,
    beside: Beside | None = None,
) -> Audit:
    """Scan and write the reports; whatever could keep them from being written is told before the scan starts."""
    from auditor import report as reports
    from auditor.i18n import choose
    from auditor.scan import scan

    output = destination(settings)
    reports.prepare(settings.format, output, template=settings.template)
    if settings.waivers is not None:
        from auditor.waivers import load

        load(settings.waivers)
    lang = choose(settings.lang, call.environment)
    result = scan(settings, environment=call.environment, progress=progress, clock=call.clock, stop=stop, beside=beside)
    written = reports.write(
        result.report,
        settings.format,
        output,
        template=settings.template,
        group_by=settings.group_by,  # type: ignore[arg-type]  # checked against the same choices
        lang=lang,
        history_trend=trend(call, settings, result.report),
    )
    return Audit(result.report, tuple(written), result.exit_status, lang)


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


def summary(report: Report, lang: str = "en") -> list[str]:
    """What a run found, in a few lines of plain text."""
    from auditor.cli import text
    from auditor.report.legible import one_line
    from auditor.report.wording import Saying, drift_words, kind_words, outcome_words, speaker

    voice = speaker(lang)
    _, n_ = voice.gettext, voice.ngettext
    run, stop = report.run, voice.separator
    english = voice.language == "en"  # where the words that other formats use are told
    outcomes, states = (None, None) if english else (outcome_words(voice.catalogue), drift_words(voice.catalogue))
    kinds = {} if english else kind_words(voice.catalogue)
    audited = stop.join(
        f"{number} {kinds.get(kind, kind)}" for kind, number in report.summary.resources.items() if number
    )
    head = n_(
        "run {id} of {n} scope in {cloud}: {audited}", "run {id} of {n} scopes in {cloud}: {audited}", len(run.scopes)
    )
    found = _("findings: {counts}")
    lines = [
        head.format(id=run.id, n=f"{len(run.scopes):,}", cloud=run.cloud, audited=audited or _("nothing to audit")),
        found.format(counts=text.outcomes(report.summary.outcomes, outcomes, stop))
        + (_(" ({n} waived)").format(n=report.summary.waived) if report.summary.waived else ""),
    ]
    if report.baseline is None:
        lines.append(_("drift: none to tell, there is no run to compare with"))
    else:
        since = _("drift since {since}: {states}")
        lines.append(
            since.format(since=report.baseline.started_at, states=text.drift(report.summary.drift, states, stop))
        )
    required = [gap for gap in run.gaps if gap.required]
    if not run.complete:
        says = n_(
            "incomplete: {n} gap in what was asked for", "incomplete: {n} gaps in what was asked for", len(required)
        )
        lines.append(says.format(n=f"{len(required):,}"))
    for gap in required[:MOST_GAPS]:
        what, hint = (one_line(Saying(each).told(voice)) for each in (gap.what, gap.hint))
        lines.append(f"  {one_line(gap.scope)}: {what} ({gap.reason}); {hint}")
    if len(required) > MOST_GAPS:
        lines.append("  " + _("… and {n} more, all in the report").format(n=len(required) - MOST_GAPS))
    told = (one_line(Saying(note.text).told(voice)) for note in run.notes if note.kind == "history")
    lines += [_("note: {text}").format(text=each) for each in told]
    return lines
