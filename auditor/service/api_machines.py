"""What machines ask: health and metrics."""

from __future__ import annotations

from litestar import Response, get

from auditor.history import HistoryProblem
from auditor.notify import standings
from auditor.service.answering import (
    TheHouse,
    may_read,
)
from auditor.service.house import House
from auditor.service.metrics import MEDIA_TYPE as METRICS_TYPE
from auditor.service.metrics import Outbox, exposition


@get("/livez", sync_to_thread=False, media_type="text/plain", include_in_schema=False)
def livez() -> str:
    """The process answers."""
    return "ok\n"


@get("/readyz", sync_to_thread=True, media_type="text/plain", include_in_schema=False)
def readyz(house: TheHouse) -> Response[str]:
    """The database answers."""
    try:
        house.archive.newest()
    except HistoryProblem:
        return Response("the history cannot be read\n", status_code=503, media_type="text/plain")
    return Response("ok\n", media_type="text/plain")


def _outbox(house: House) -> Outbox | None:
    """How sending on stands; None where nobody is told."""
    if house.courier is None:
        return None
    return Outbox(
        receivers=tuple(target.name for target in house.courier.targets),
        standings=standings(house.engine),
        attempts=house.courier.attempts(),
        now=house.clock(),
    )


@get("/metrics", guards=[may_read], sync_to_thread=True, include_in_schema=False)
def metrics(house: TheHouse) -> Response[bytes]:
    """Prometheus text."""
    queued, running = house.desk.counts()
    row = house.archive.newest()
    newest = None if row is None else house.archive.report(row.id)
    content = exposition(
        house.meters,
        house.tally,
        queued=queued,
        running=running,
        leads=house.leads(),
        newest=newest,
        outbox=_outbox(house),
    )
    return Response(content, media_type=METRICS_TYPE)
