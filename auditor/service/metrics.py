"""`/metrics`: Prometheus text about the service, and the gauges of the newest run as `auditor.prom` has them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditor.findings import Report
    from auditor.notify import Standing
    from auditor.notify.outbox import Result
    from auditor.service.loop import Tally

MEDIA_TYPE = "text/plain; version=0.0.4"


@dataclass(slots=True)
class Meters:
    """What is counted while the service runs."""

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By method and class of status (`2xx`)."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def counted(self, method: str, status: int) -> None:
        """One request was answered; 0 stands for one that was not."""
        known = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
        with self.lock:
            self.requests[known, f"{status // 100}xx" if status else "none"] += 1


@dataclass(frozen=True, slots=True)
class Outbox:
    """How sending on stands: the receivers by their names, which are all that is told of them."""

    receivers: tuple[str, ...]
    standings: tuple[Standing, ...]
    attempts: Mapping[tuple[str, Result], int]
    now: datetime


def exposition(
    meters: Meters,
    tally: Tally,
    *,
    queued: int,
    running: int,
    leads: bool,
    newest: Report | None,
    outbox: Outbox | None = None,
) -> bytes:
    """The whole of `/metrics`."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector

    from auditor.report import render_prometheus

    requests = CounterMetricFamily(
        "auditor_service_requests", "Requests answered, by method and class of status.", labels=("method", "status")
    )
    with meters.lock:
        for labels, count in sorted(meters.requests.items()):
            requests.add_metric(labels, count)
    scans = CounterMetricFamily(
        "auditor_service_scheduled_scans", "Scheduled scans by exit status, since the start.", labels=("status",)
    )
    for status, count in sorted(tally.by_status.items()):
        scans.add_metric([str(status)], count)
    families = (
        requests,
        scans,
        CounterMetricFamily(
            "auditor_service_missed_firings", "Firings of schedules that were missed, since the start.", tally.missed
        ),
        GaugeMetricFamily("auditor_service_scans_queued", "Scans of this instance that wait.", queued),
        GaugeMetricFamily("auditor_service_scans_running", "Scans of this instance that run.", running),
        GaugeMetricFamily("auditor_service_leads", "1 if this instance runs the schedules.", int(leads)),
        *(() if outbox is None else _of_outbox(outbox)),
    )

    class _Once(Collector):
        def collect(self) -> tuple[object, ...]:  # type: ignore[override]
            return families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once())
    return generate_latest(registry) + (b"" if newest is None else render_prometheus(newest))


def _of_outbox(outbox: Outbox) -> tuple[Any, ...]:
    """What the outbox holds, which all instances share, and what this instance's attempts came to."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    from auditor.notify import RESULTS

    label = ("receiver",)
    queued = GaugeMetricFamily("auditor_service_outbox_queued", "Messages that wait to be delivered.", labels=label)
    oldest = GaugeMetricFamily(
        "auditor_service_outbox_oldest_seconds", "Age of the oldest message that waits; 0 if none does.", labels=label
    )
    given_up = GaugeMetricFamily(
        "auditor_service_outbox_given_up", "Messages given up and not yet dropped or sent again.", labels=label
    )
    attempts = CounterMetricFamily(
        "auditor_service_outbox_attempts",
        "Attempts to deliver by how they ended, since the start.",
        labels=("receiver", "result"),
    )
    by_name = {each.target: each for each in outbox.standings}
    # Receivers that are told no more are shown as long as something for them lies about.
    left = {each.target for each in outbox.standings if each.queued or each.given_up}
    for name in sorted({*outbox.receivers, *left}):
        standing = by_name.get(name)
        put_at = standing.oldest if standing else None
        age = (outbox.now - datetime.fromisoformat(put_at)).total_seconds() if put_at else 0.0
        queued.add_metric([name], standing.queued if standing else 0)
        oldest.add_metric([name], max(age, 0.0))
        given_up.add_metric([name], standing.given_up if standing else 0)
        if name in outbox.receivers:
            for result in RESULTS:
                attempts.add_metric([name, result], outbox.attempts.get((name, result), 0))
    return queued, oldest, given_up, attempts
