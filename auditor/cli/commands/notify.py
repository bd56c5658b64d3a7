"""`auditor notify …`: the outbox of what is sent on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from auditor.cli import text
from auditor.cli.app import COMMANDS
from auditor.cli.call import Call
from auditor.cli.options import settings_flags
from auditor.config import configuration_file
from auditor.errors import UsageProblem

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_RECEIVER = click.argument("receiver", required=False)
_ALL = click.option("--all", "everybody", is_flag=True, help="What is for any receiver.")


@click.group("notify", short_help=COMMANDS["notify"])
def command() -> None:
    """Sending on: what waits for its receiver, and what was given up.

    It lies in the database of the history (AUDITOR_HISTORY). A message that is not delivered within a week is
    given up; it stays until it is sent again, dropped, or 90 days old.
    """


@contextmanager
def _outbox(call: Call) -> Iterator[Engine]:
    from auditor.service.store import open_store

    engine = open_store(call.settings({}).history, call.environment)
    try:
        yield engine
    finally:
        engine.dispose()


@command.command("list", short_help="How each receiver stands.")
@click.pass_obj
def list_(call: Call) -> None:
    """List the receivers that there ever was something for, with what is queued, delivered and given up."""
    from auditor.notify import standings

    with _outbox(call) as engine:
        found = standings(engine)
    rows = [
        (each.target, str(each.queued), each.oldest or "", str(each.delivered), str(each.given_up)) for each in found
    ]
    click.echo(text.table(("RECEIVER", "QUEUED", "OLDEST", "DELIVERED", "GIVEN UP"), rows))


@command.command(short_help="What is not delivered, and why.")
@click.pass_obj
def undelivered(call: Call) -> None:
    """List what is queued or given up, with the receiver's last answer."""
    from auditor.notify import undelivered

    with _outbox(call) as engine:
        found = undelivered(engine)
    rows = [
        (
            each.target,
            each.parcel_id,
            each.put_at,
            str(each.attempts),
            each.next_at or "given up",
            each.note,
        )
        for each in found
    ]
    click.echo(text.table(("RECEIVER", "MESSAGE", "PUT IN", "ATTEMPTS", "NEXT", "LAST ANSWER"), rows))


@command.command(short_help="Try now whatever is due.")
@settings_flags("config", "cloud", "tenant", "lang")
@click.pass_obj
def send(call: Call, /, **flags: Any) -> None:
    """Try once, now, whatever is due: for those who scan by `auditor scan --notify` and run no service."""
    from auditor.cli.telling import courier_for, receivers, send_now

    settings = call.settings(flags)
    path, named = configuration_file(flags, call.environment, call.working_directory)
    targets = receivers(call, settings, path, named=named)
    if not targets:
        raise UsageProblem("there is nobody to tell", hint="[[notify]] in the file of --config")
    send_now(call, settings, courier_for(call, settings, targets))


@command.command(short_help="Try one receiver, now.")
@click.argument("receiver")
@settings_flags("config", "cloud", "tenant", "lang")
@click.pass_obj
def test(call: Call, /, receiver: str, **flags: Any) -> int:
    """Send RECEIVER a message about nothing, past the outbox, and say what came of it; exit status 1 if it refused.

    A log table gets a row: not applicable, of the run `test` and the finding `auditor-test`.
    """
    from auditor.cli.telling import receivers, sender_for
    from auditor.i18n import choose
    from auditor.notify import Refused, trial_parcel

    settings = call.settings(flags)
    path, named = configuration_file(flags, call.environment, call.working_directory)
    targets = {target.name: target for target in receivers(call, settings, path, named=named)}
    if receiver not in targets:
        known = ", ".join(targets) or "none; [[notify]] in the file of --config"
        raise UsageProblem(f"there is no receiver `{receiver}`", hint=f"receivers: {known}")
    lang = choose(settings.lang, call.environment, machine_format=True)
    sender = sender_for(call, settings)
    try:
        sender.send(targets[receiver], trial_parcel(targets[receiver], call.clock(), lang), call.clock())
    except Refused as refused:
        call.say(f"{receiver}: not delivered: {refused}")
        return 1
    finally:
        sender.close()
    call.say(f"{receiver}: delivered", quiet=settings.quiet)
    return 0


@command.command(short_help="Send again what is not delivered.")
@_RECEIVER
@_ALL
@click.pass_obj
def again(call: Call, receiver: str | None, everybody: bool) -> None:
    """Make due now what waits for RECEIVER or was given up, with a week of its own: the next round sends it."""
    from auditor.notify import again

    name = _whose(receiver, everybody=everybody)
    with _outbox(call) as engine:
        count = again(engine, name, call.clock())
    call.say(f"due now: {count}")


@command.command(short_help="Forget what is not delivered.")
@_RECEIVER
@_ALL
@click.pass_obj
def drop(call: Call, receiver: str | None, everybody: bool) -> None:
    """Forget what waits for RECEIVER or was given up, such as for one that is no more. The runs stay in the history."""
    from auditor.notify import drop

    name = _whose(receiver, everybody=everybody)
    with _outbox(call) as engine:
        count = drop(engine, name)
    call.say(f"dropped: {count}")


def _whose(receiver: str | None, *, everybody: bool) -> str | None:
    """The receiver's name, or None for all of them."""
    if (receiver is None) != everybody:
        raise UsageProblem("name one receiver, or say --all", hint="auditor notify list")
    return receiver
