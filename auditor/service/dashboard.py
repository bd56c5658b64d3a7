"""What the dashboard shows: posture, trend, drift of the last nights, gaps, runs, scans; and its templates' models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor import __version__
from auditor.findings import Finding, Report
from auditor.history.records import RunRow
from auditor.i18n import Language, Translator
from auditor.report.clouds import cloud_name
from auditor.report.templating import environment
from auditor.report.trend import HEIGHT, WIDTH, line
from auditor.report.triage import reading_order, verdict
from auditor.report.wording import Saying, languages, original, sayings, speaker, wording
from auditor.service import jobs
from auditor.service.archive import NotThere
from auditor.service.firings import newest_of_each
from auditor.service.house import House
from auditor.service.roles import Caller, Role

RUNS = 20
JOBS = 8
NIGHTS = 5
LINES = 8


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a page is made for."""

    caller: Caller | None
    lang: str


def page(template: str, reader: Reader, model: Mapping[str, Any]) -> str:
    """A page of the service as HTML."""
    caller = reader.caller
    whole = {
        "lang": reader.lang,
        "languages": languages(),
        "version": __version__,
        "caller": caller.name if caller is not None else None,
        "key": caller.page_key if caller is not None else None,
        "may_sign_out": caller is not None and caller.ambient and caller.token_id is not None,
        "may_run": caller is not None and caller.may(Role.RUN),
        **model,
    }
    return environment(wording(reader.lang)).get_template(template).render(whole)


def dashboard(house: House, reader: Reader, run_id: str | None) -> str:
    """The first page: the state of a run's scopes, or of those scanned last."""
    row = house.archive.newest() if run_id is None else house.archive.run(run_id)
    known = jobs.newest(house.engine, JOBS)
    words = speaker(reader.lang)
    model: dict[str, Any] = {
        "report": None,
        "verdict": None,
        "sets": [],
        "jobs": known,
        "running": next((job for job in known if not job.finished), None),
        "nights": _nights(house),
        "say": lambda text: Saying(original(text)).told(words),
    }
    if row is not None:
        model |= _posture(house, row, reader)
    return page("dashboard.html.j2", reader, model)


def _posture(house: House, row: RunRow, reader: Reader) -> dict[str, Any]:
    report = house.archive.report(row.id)
    runs = house.archive.history.runs(row.scopes, limit=RUNS)
    return {
        "report": report,
        "verdict": verdict(report, wording(reader.lang)),
        "cloud_name": cloud_name(report),
        "read": sum(scope.read for scope in report.run.scopes),
        "sets": _sets(house, row),
        "runs": runs,
        "trend": _trend(house, row),
        "feed": _feed(house, runs, speaker(reader.lang)),
    }


def _sets(house: House, row: RunRow) -> list[dict[str, Any]]:
    """The sets of scopes that there are runs of, for choosing one."""
    found = []
    for scopes in house.archive.scope_sets()[:50]:
        newest = house.archive.newest(scopes)
        if newest is not None:
            found.append({"run": newest.id, "name": _named(scopes), "shown": scopes == row.scopes})
    return found


def _named(scopes: tuple[str, ...]) -> str:
    names = [scope.rstrip("/").rsplit("/", 1)[-1] for scope in scopes[:2]]
    return ", ".join(names) + (f" +{len(scopes) - 2}" if len(scopes) > 2 else "")


def _trend(house: House, row: RunRow) -> dict[str, Any] | None:
    points = house.archive.history.trend(row.scopes)
    if len(points) < 2:
        return None
    failing = [sum(point.summary.by_severity.values()) for point in points]
    return {
        "line": line(failing),
        "width": WIDTH,
        "height": HEIGHT,
        "count": len(points),
        "first": failing[0],
        "last": failing[-1],
        "most": max(failing),
    }


def _feed(house: House, runs: tuple[RunRow, ...], words: Translator) -> list[dict[str, Any]]:
    """What is new, changed, resolved or no longer verified, night by night, the newest first, in the reader's words."""
    told = []
    for row in runs:
        counts = row.drift or {}
        if not any(number for state, number in counts.items() if state != "unchanged"):
            continue
        try:
            drifted = _drifted(house.archive.report(row.id))
        except NotThere:  # pruned a moment ago
            continue
        left = max(len(drifted) - LINES, 0)
        lines = [{"finding": each, "message": sayings(each).message.told(words)} for each in drifted[:LINES]]
        told.append({"run": row.id, "started_at": row.started_at, "lines": lines, "more": left})
        if len(told) == NIGHTS:
            break
    return told


def _drifted(report: Report) -> list[Finding]:
    found = reading_order(report.findings)
    return [each for each in found if each.drift is not None and each.drift.state != "unchanged"]


def _nights(house: House) -> list[dict[str, Any]]:
    now = house.clock()
    before = newest_of_each(house.engine)
    nights = []
    for plan in house.plans:
        firing = plan.schedule.next(now)
        last = before.get(plan.name)
        nights.append(
            {
                "name": plan.name,
                "cron": plan.schedule.cron,
                "timezone": plan.schedule.timezone,
                "next": None if firing is None else firing.local.replace("T", " "),
                "last": None if last is None else {**last, "local": last["local"].replace("T", " ")},
            }
        )
    return nights


def language_of(asked: str | None, cookie: str | None, accepted: str) -> str:
    """The language of a page: asked for, remembered, or the first of the browser's that is one of ours."""
    for wanted in (asked, cookie):
        if wanted in set(Language):
            return str(wanted)
    for each in accepted.split(","):
        name = each.split(";")[0].strip().casefold()
        if name.startswith("zh"):
            return Language.CHINESE.value
        if name.startswith("en"):
            break
    return Language.ENGLISH.value
