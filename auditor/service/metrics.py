"""`/metrics`: Prometheus text about the service, and the gauges of the newest run as `auditor.prom` has them."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.findings import Report
    from auditor.service.nightly import Tally

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


def exposition(meters: Meters, tally: Tally, *, queued: int, running: int, leads: bool, newest: Report | None) -> bytes:
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
    )

    class _Once(Collector):
        def collect(self) -> tuple[object, ...]:  # type: ignore[override]
            return families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once())
    return generate_latest(registry) + (b"" if newest is None else render_prometheus(newest))
