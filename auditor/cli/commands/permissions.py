"""`auditor permissions`: the role that a scan needs."""

from __future__ import annotations

import json
from typing import Any

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.options import settings_flags

PLACEHOLDER = "/subscriptions/00000000-0000-0000-0000-000000000000"


@_command("permissions")
@click.option("--minimal", is_flag=True, help="Only what a complete scan needs; some findings then stay unknown.")
@settings_flags("subscription", "management_group", "config")
@click.pass_obj
def command(call: Call, /, minimal: bool, **flags: Any) -> None:
    """Print the least-privilege role definition that a scan needs, as `az role definition create` takes it.

    --subscription and --management-group say where it shall be assignable. It reads, and reads no keys.
    """
    from auditor.collect.permissions import role_definition

    settings = call.settings(flags)
    scopes = [f"/subscriptions/{each}" for each in settings.subscription]
    scopes += [f"/providers/Microsoft.Management/managementGroups/{each}" for each in settings.management_group]
    if not scopes:
        call.say("no scope is named, so AssignableScopes holds a placeholder; name one with --subscription")
    role = role_definition(scopes or [PLACEHOLDER], optional=not minimal)
    click.echo(json.dumps(role, indent=2, ensure_ascii=False))
