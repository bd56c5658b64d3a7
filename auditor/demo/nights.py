"""Three nights of the sample estate, scanned over the wire one after the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.config import Settings
from auditor.demo.telling import TableRequests, drift_lines, requests_by_table
from auditor.errors import UsageProblem
from auditor.findings import Report
from auditor.values import Progress, silent

if TYPE_CHECKING:
    from auditor.replica import Replica

CLOUDS = ("public", "china")
"""The clouds that the sample estate has names, tags and zones for."""
NIGHTS = ("night-1", "night-2", "night-3")
SCOPE = "contoso"
"""The management group that is audited; one subscription of the estate lies outside it, unreadable."""
FORMATS = ("html", "json")


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What a demonstration hands back to whoever shows it.

    `nights` holds the three reports; `drift` says in five lines what drifted; `written` are the files of the second
    night and, below `night-3/`, of the third; `requests` counts the Resource Graph requests of all three scans as the
    replica saw them.
    """

    nights: tuple[Report, Report, Report]
    drift: tuple[str, ...]
    written: tuple[Path, ...]
    requests: tuple[TableRequests, ...]


def estate_path(night: str) -> Path:
    """The estate file of one of the `NIGHTS`."""
    return Path(__file__).resolve().parent / "estates" / f"{night}.json"


def run(
    *, cloud: str, output: Path, lang: str | None = None, progress: Progress = silent, history: str | None = None
) -> DemoResult:
    """Play the three nights in `cloud`, write the reports of the last two below `output`, and tell what drifted.

    Nothing is configured and nothing is remembered: unless `history` gives the URL of an empty one, the history of the
    three runs lives in a temporary folder. Raises UsageProblem for a cloud that the estate does not know and for an
    output that cannot be written (before the first scan).
    """
    from auditor import report as reports
    from auditor.replica import Replica, load

    if cloud not in CLOUDS:
        raise UsageProblem(f"the sample estate is not at home in `{cloud}`", hint=f"known: {', '.join(CLOUDS)}")
    reports.prepare(FORMATS, output)
    estates = [load(estate_path(night), cloud) for night in NIGHTS]
    with tempfile.TemporaryDirectory(prefix="auditor-demo-") as folder, Replica(estates[0]) as replica:
        settings = Settings(
            cloud=cloud,
            management_group=(SCOPE,),
            format=FORMATS,
            output=str(output),
            history=history or f"sqlite:///{Path(folder) / 'history.sqlite'}",
            lang=lang,
        )
        nights: list[Report] = []
        for estate in estates:
            replica.load(estate)
            nights.append(_scanned(settings, replica, estate.clock, progress))
        first, second, third = nights
        requests = requests_by_table(replica.requests)
    language = lang or "en"
    written = reports.write(second, FORMATS, output, lang=language)
    written += reports.write(third, FORMATS, output / NIGHTS[2], lang=language)
    return DemoResult((first, second, third), drift_lines(second, third), tuple(written), requests)


def _scanned(settings: Settings, replica: Replica, night: datetime, progress: Progress) -> Report:
    """One scan of what the replica serves, at the estate's own time."""
    from auditor.collect import Clock
    from auditor.scan import scan

    clock = _clock_from(night)
    environment = replica.environment()
    return scan(settings, environment=environment, progress=progress, clock=clock, waiting=Clock(now=clock)).report


def _clock_from(night: datetime) -> Callable[[], datetime]:
    """A clock that shows `night` now and goes on from there.

    The estate lives on its own dates, so that deadlines and the times of its changes mean the same whenever the
    demonstration is played.
    """
    begun = time.monotonic()
    return lambda: night + timedelta(seconds=time.monotonic() - begun)
