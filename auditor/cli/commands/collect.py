"""`auditor collect -o FILE`: only collect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.options import settings_flags
from auditor.errors import UsageProblem

LIVE_FLAGS = ("cloud", "tenant", "subscription", "management_group", "config", "max_rps", "quiet", "log_format")
"""The settings of whatever reads Azure."""


@_command("collect")
@click.option("-o", "--output", "target", metavar="FILE", required=True, help="The snapshot; .gz and .zst compress it.")
@settings_flags(*LIVE_FLAGS)
@click.pass_obj
def command(call: Call, /, target: str, **flags: Any) -> int:
    """Read Azure and write a snapshot: JSON Lines, one resource a line, reviewed properties only, no secrets.

    `auditor scan --snapshot FILE` then gives the findings of a live scan. Exit status 3 says that something
    could not be read (the snapshot says what), 4 that nothing could.
    """
    from auditor.cli import text
    from auditor.report.files import make_writable
    from auditor.report.legible import one_line
    from auditor.scan import collect_to

    settings = call.settings(flags)
    if target == "-":
        raise UsageProblem("a snapshot is written to a file, not to standard output", hint="-o estate.jsonl.gz")
    path = Path(target)
    make_writable(path.parent, (path.name,))
    with call.display(quiet=settings.quiet) as progress:
        collected = collect_to(settings, path, environment=call.environment, progress=progress)
    for gap in collected.gaps:
        if gap.required:
            call.say(f"not read: {one_line(gap.scope)}: {one_line(gap.what)}; {one_line(gap.hint)}")
    call.say(f"wrote {text.count(len(collected.rows), 'resource')} to {path}", quiet=settings.quiet)
    return 0 if collected.complete else 3
