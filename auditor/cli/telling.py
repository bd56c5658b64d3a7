"""Who is told what scans find, for the commands that tell: their receivers, and a round of deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.cli.call import Call
    from auditor.config import Settings
    from auditor.notify import Courier, Sender, Target

WITHIN_S = 60.0
"""A command waits so long for its receivers; what is not delivered then stays in the outbox."""


def receivers(call: Call, settings: Settings, path: Path | None, *, named: bool) -> tuple[Target, ...]:
    """The receivers of the configuration file. Raises UsageProblem for what would keep one from being told."""
    from auditor.clouds import resolve_cloud
    from auditor.notify import check_chats, read_targets

    cloud = resolve_cloud(settings.cloud, call.environment, settings.custom_cloud)
    targets = read_targets(path, call.environment, named=named, cloud=cloud)
    check_chats(targets)
    return targets


def courier_for(call: Call, settings: Settings, targets: Sequence[Target]) -> Courier:
    """Who keeps and delivers, over the database of the history; not started yet."""
    from auditor.i18n import choose
    from auditor.notify import Courier
    from auditor.service.store import open_store

    return Courier(
        open_store(settings.history, call.environment),
        targets,
        call.clock,
        call.say,
        sender_for(call, settings),
        choose(settings.lang, call.environment, machine_format=True),
    )


def sender_for(call: Call, settings: Settings) -> Sender:
    """Who sends, signed in to the cloud as the scan is."""
    from auditor.clouds import resolve_cloud
    from auditor.notify import Sender

    cloud = resolve_cloud(settings.cloud, call.environment, settings.custom_cloud)
    return Sender(cloud, call.environment, settings.tenant)


def send_now(call: Call, settings: Settings, courier: Courier) -> None:
    """Try once whatever is due, and say what came of it."""
    from auditor.i18n import choose
    from auditor.report.wording import speaker

    _ = speaker(choose(settings.lang, call.environment)).gettext
    done = courier.once(WITHIN_S)
    results = courier.attempts()
    delivered = sum(number for (_name, result), number in results.items() if result == "delivered")
    if not results and done:
        call.say(_("sent on: there was nothing to send"), quiet=settings.quiet)
    else:
        call.say(_("sent on: {n} delivered").format(n=delivered), quiet=settings.quiet)
    if not done:
        call.say(_("a receiver did not answer within {n} s").format(n=f"{WITHIN_S:g}"))
    if not done or sum(results.values()) > delivered:
        call.say(_("what is left is tried by `auditor notify send`, by the next scan that sends, or by the service"))
    courier.close(0.0)
