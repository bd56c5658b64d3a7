"""/metrics about sending on: by receiver's name, and nothing else of them."""

from __future__ import annotations

from datetime import UTC, datetime

from auditor.notify import Standing
from auditor.service.loop import Tally
from auditor.service.metrics import Meters, Outbox, exposition

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


def told(outbox: Outbox | None) -> list[str]:
    text = exposition(Meters(), Tally(), queued=0, running=0, leads=True, newest=None, outbox=outbox).decode()
    return [line for line in text.splitlines() if line.startswith("auditor_service_outbox_")]


def test_without_receivers_nothing_is_told() -> None:
    assert told(None) == []


def test_every_receiver_is_told_of_and_those_of_old_while_something_is_left() -> None:
    standings = (
        Standing("siem", 2, "2026-11-24T05:00:00Z", 40, 1),
        Standing("gone", 0, None, 7, 0),
        Standing("left", 1, "2026-11-24T05:59:00Z", 0, 0),
    )
    lines = told(Outbox(("siem", "team"), standings, {("siem", "delivered"): 3, ("siem", "given-up"): 1}, NOW))
    assert set(lines) == {
        'auditor_service_outbox_queued{receiver="left"} 1.0',
        'auditor_service_outbox_queued{receiver="siem"} 2.0',
        'auditor_service_outbox_queued{receiver="team"} 0.0',
        'auditor_service_outbox_oldest_seconds{receiver="left"} 60.0',
        'auditor_service_outbox_oldest_seconds{receiver="siem"} 3600.0',
        'auditor_service_outbox_oldest_seconds{receiver="team"} 0.0',
        'auditor_service_outbox_given_up{receiver="left"} 0.0',
        'auditor_service_outbox_given_up{receiver="siem"} 1.0',
        'auditor_service_outbox_given_up{receiver="team"} 0.0',
        'auditor_service_outbox_attempts_total{receiver="siem",result="delivered"} 3.0',
        'auditor_service_outbox_attempts_total{receiver="siem",result="refused"} 0.0',
        'auditor_service_outbox_attempts_total{receiver="siem",result="given-up"} 1.0',
        'auditor_service_outbox_attempts_total{receiver="team",result="delivered"} 0.0',
        'auditor_service_outbox_attempts_total{receiver="team",result="refused"} 0.0',
        'auditor_service_outbox_attempts_total{receiver="team",result="given-up"} 0.0',
    }
