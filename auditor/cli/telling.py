"""Who is told what scans find, for the commands that tell: their receivers, and a round of deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.cli.call import Call
    from auditor.config import Settings
    from auditor.notify import Courier, Target

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
    from auditor.clouds import resolve_cloud
    from auditor.i18n import choose
    from auditor.notify import Courier, Sender
    from auditor.service.store import open_store

    cloud = resolve_cloud(settings.cloud, call.environment, settings.custom_cloud)
    return Courier(
        open_store(settings.history, call.environment),
        targets,
        call.clock,
        call.say,
        Sender(cloud, call.environment, settings.tenant),
        choose(settings.lang, call.environment, machine_format=True),
    )


def send_now(call: Call, courier: Courier, *, quiet: bool = False) -> None:
    """Try once whatever is due, and say what came of it."""
    done = courier.once(WITHIN_S)
    delivered = sum(number for (_, result), number in courier.attempts().items() if result == "delivered")
    call.say(f"sent on: {delivered} delivered", quiet=quiet)
    if not done:
        call.say(f"sent on: a receiver did not answer within {WITHIN_S:g} s; what is left stays in the outbox")
    courier.close(0.0)
