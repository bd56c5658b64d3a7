"""`auditor token create / list / revoke`: API tokens of the service."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from auditor.cli import text
from auditor.cli.app import COMMANDS
from auditor.cli.call import Call
from auditor.errors import UsageProblem

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine


@click.group("token", short_help=COMMANDS["token"])
def command() -> None:
    """API tokens of the service.

    They lie, hashed, in the database of the history (AUDITOR_HISTORY): make them where the service runs.
    """


def _open(call: Call) -> Engine:
    from auditor.service.store import open_store

    return open_store(call.settings({}).history, call.environment)


@command.command(short_help="A new token, shown once.")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="ROLE",
    help="Auditor.Read or Auditor.Run (which includes to read). Repeatable.",
)
@click.option("--expires", default="90d", show_default=True, metavar="AGE", help="How long it is good: 12h, 90d, 12w.")
@click.pass_obj
def create(call: Call, name: str, roles: tuple[str, ...], expires: str) -> None:
    """Make a token called NAME and write it to standard output, the only time that it can be read.

    Without --role it may read.
    """
    from auditor.service import tokens

    lifetime = _lifetime(expires)
    engine = _open(call)
    try:
        made = tokens.create(engine, name, roles or ("Auditor.Read",), lifetime, call.clock())
    finally:
        engine.dispose()
    click.echo(made)
    call.say(f"made the token {name}; it is shown this once")


@command.command("list", short_help="Tokens, and until when they are good.")
@click.pass_obj
def list_(call: Call) -> None:
    """List the tokens there have been; what they are is kept nowhere."""
    from auditor.service import tokens

    engine = _open(call)
    try:
        found = tokens.listed(engine)
    finally:
        engine.dispose()
    now = call.clock()
    rows = [
        (
            each.name,
            each.id,
            " ".join(sorted(each.roles)),
            "good" if each.good_at(now) else "revoked" if each.revoked_at else "expired",
            each.created_at,
            each.expires_at,
        )
        for each in found
    ]
    click.echo(text.table(("NAME", "ID", "ROLES", "STATE", "CREATED", "EXPIRES"), rows))


@command.command(short_help="Take a token back, at once.")
@click.argument("name", metavar="NAME-OR-ID")
@click.pass_obj
def revoke(call: Call, name: str) -> None:
    """Take a token back: it, and sessions of the dashboard begun with it, open nothing from now on."""
    from auditor.service import tokens

    engine = _open(call)
    try:
        taken = tokens.revoke(engine, name, call.clock())
    finally:
        engine.dispose()
    call.say(f"revoked {taken.name}")


def _lifetime(age: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([hdw])", age.strip())
    if found is None:
        raise UsageProblem(f"`{age}` is no length of time", hint="such as 12h, 90d or 12w")
    return timedelta(hours=int(found[1]) * {"h": 1, "d": 24, "w": 168}[found[2]])
