"""What a running service consists of, for whoever answers its requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from auditor.config import Settings, keys
from auditor.evaluate import Catalogue
from auditor.service.access import Door
from auditor.service.archive import Archive
from auditor.service.desk import Desk
from auditor.service.jobs import ScanRequest
from auditor.service.loop import Tally
from auditor.service.metrics import Meters
from auditor.service.plans import Plan
from auditor.service.records import ScanAsked

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from auditor.notify import Courier


@dataclass(frozen=True, slots=True)
class House:
    """The parts. `ready` tells whether scans can be taken: the database answers, and nobody is closing."""

    settings: Settings
    environment: Mapping[str, str]
    engine: Engine
    desk: Desk
    archive: Archive
    door: Door
    catalogue: Catalogue
    plans: tuple[Plan, ...]
    clock: Callable[[], datetime]
    leads: Callable[[], bool]
    tally: Tally = field(default_factory=Tally)
    meters: Meters = field(default_factory=Meters)
    courier: Courier | None = None

    def request_for(self, asked: ScanAsked) -> ScanRequest:
        """What was asked for in canonical order; without scopes, the service's own. Raises UsageProblem."""
        one = self._grammar("subscription")
        other = self._grammar("management_group")
        request = ScanRequest(
            subscriptions=tuple(sorted({one(each) for each in asked.subscriptions})),
            management_groups=tuple(sorted({other(each) for each in asked.management_groups})),
            checks=tuple(sorted(set(asked.checks))),
            exclude_checks=tuple(sorted(set(asked.exclude_checks))),
        )
        self.catalogue.select(request.checks, request.exclude_checks)
        if not request.subscriptions and not request.management_groups:
            request = request_of(self.settings, request)
        return request

    def _grammar(self, key: str) -> Callable[[str], str]:
        grammar = keys()[key].grammar
        assert grammar is not None
        return grammar


def request_of(settings: Settings, wanted: ScanRequest | None = None, schedule: str | None = None) -> ScanRequest:
    """The scopes of the settings with the checks that are wanted, or theirs."""
    return ScanRequest(
        subscriptions=tuple(sorted(settings.subscription)),
        management_groups=tuple(sorted(settings.management_group)),
        checks=tuple(sorted(settings.check)) if wanted is None else wanted.checks,
        exclude_checks=tuple(sorted(settings.exclude_check)) if wanted is None else wanted.exclude_checks,
        schedule=schedule,
    )


def settings_for(request: ScanRequest, settings: Settings, plans: tuple[Plan, ...]) -> Settings:
    """A scan's settings: those of the schedule that asked, or the service's with the scopes and checks asked for."""
    plan = next((plan for plan in plans if plan.name == request.schedule), None)
    if plan is not None:
        return plan.settings
    return dataclasses.replace(
        settings,
        subscription=request.subscriptions,
        management_group=request.management_groups,
        check=request.checks or settings.check,
        exclude_check=request.exclude_checks or settings.exclude_check,
    )
