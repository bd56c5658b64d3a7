"""`auditor doctor`: what a scan will not be able to read, said before it."""

from __future__ import annotations

from typing import Any

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.commands.collect import LIVE_FLAGS
from auditor.cli.options import settings_flags

NOTHING_WITHOUT = ("credentials", "cloud", "reachability")
"""Topics without which a scan reads nothing at all."""


@_command("doctor")
@settings_flags(*LIVE_FLAGS)
@click.pass_obj
def command(call: Call, /, **flags: Any) -> int:
    """Try everything that a scan stands on, and say what to grant: credentials, cloud, rights, tag data,
    clock.

    Exit status 4 says that a scan would read nothing, 3 that it would be incomplete, 0 that it would be
    complete.
    """
    from auditor.cli import text
    from auditor.clouds import resolve_cloud
    from auditor.collect import CollectRequest, Patience
    from auditor.collect.doctor import examine
    from auditor.report.legible import one_line

    settings = call.settings(flags)
    request = CollectRequest(
        cloud=resolve_cloud(settings.cloud, call.environment, settings.custom_cloud),
        subscriptions=settings.subscription,
        management_groups=settings.management_group,
        tenant=settings.tenant,
        environment=call.environment,
        max_rps=settings.max_rps,
        deadline_s=settings.deadline,
        patience=Patience(silence_s=settings.request_timeout),
        principals=dict(settings.principals),
        registries=settings.registries,
        deployers=settings.deployers,
    )
    found = examine(request)
    for each in found:
        click.echo(f"{each.verdict:<8} {each.topic}: {one_line(each.text)}")
        if each.hint:
            click.echo(f"         {one_line(each.hint)}")
    problems = [each for each in found if each.verdict == "problem"]
    if not problems:
        call.say("a scan of this would be complete", quiet=settings.quiet)
        return 0
    call.say(text.count(len(problems), "problem"), quiet=settings.quiet)
    return 4 if any(each.topic in NOTHING_WITHOUT for each in problems) else 3
