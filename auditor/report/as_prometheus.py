"""`auditor.prom`: the run's counts for node_exporter's textfile collector (Prometheus text format 0.0.4).

Numbers only: no resource name becomes a label, so the number of series does not grow with the estate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from auditor.findings import DRIFT_STATES, Report
from auditor.report.legible import one_line
from auditor.values import Outcome, Severity

Samples = Iterable[tuple[Mapping[str, str], float]]


def render_prometheus(report: Report) -> bytes:
    """Gauges of the last run; all label values of the closed sets are present, so that zero is a value too."""
    run, summary = report.run, report.summary
    found = Counter((finding.outcome, finding.severity) for finding in report.findings if finding.waiver is None)
    started, finished = _seconds(run.started_at), _seconds(run.finished_at)
    metrics: list[tuple[str, str, Samples]] = [
        (
            "auditor_run_info",
            "The last run: its cloud, source and catalogue; always 1.",
            [({"cloud": run.cloud, "source": run.source, "catalogue": run.catalogue.version}, 1)],
        ),
        ("auditor_run_started_timestamp_seconds", "When the last run started.", [({}, started)]),
        ("auditor_run_finished_timestamp_seconds", "When the last run finished.", [({}, finished)]),
        ("auditor_run_duration_seconds", "How long the last run took.", [({}, max(finished - started, 0))]),
        ("auditor_run_complete", "1 if everything that was asked for could be read.", [({}, run.complete)]),
        (
            "auditor_run_gaps",
            "What could not be read in the last run.",
            [
                ({"required": str(required).lower()}, sum(gap.required is required for gap in run.gaps))
                for required in (True, False)
            ],
        ),
        (
            "auditor_findings",
            "Unwaived findings of the last run by outcome and severity.",
            [
                ({"outcome": outcome, "severity": severity}, found[outcome, severity])
                for outcome in Outcome
                for severity in Severity
            ],
        ),
        (
            "auditor_check_findings",
            "Findings of the last run by check and outcome, waived ones included.",
            [
                ({"check": check, "outcome": outcome}, count)
                for check, counts in summary.by_check.items()
                for outcome, count in counts.items()
            ],
        ),
        ("auditor_findings_waived", "Findings of the last run with a waiver.", [({}, summary.waived)]),
        (
            "auditor_findings_drifted",
            "Findings of the last run by drift state; absent without a baseline.",
            [({"state": state}, summary.drift.get(state, 0)) for state in DRIFT_STATES] if summary.drift else [],
        ),
        (
            "auditor_resources",
            "Audited resources of the last run by kind.",
            [({"kind": kind}, count) for kind, count in summary.resources.items()],
        ),
        ("auditor_run_requests", "Requests that the last run sent to Azure.", [({}, run.requests.total)]),
        ("auditor_run_requests_throttled", "Of these, throttled ones.", [({}, run.requests.throttled)]),
    ]
    return "".join(_metric(name, text, samples) for name, text, samples in metrics).encode()


def _metric(name: str, text: str, samples: Samples) -> str:
    lines = [f"{name}{_labels(labels)} {_number(value)}\n" for labels, value in samples]
    return f"# HELP {name} {text}\n# TYPE {name} gauge\n{''.join(lines)}" if lines else ""


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return one_line(value)[:200].replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _seconds(at: str) -> float:
    """RFC 3339 as seconds since 1970; 0 for what is no time."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
