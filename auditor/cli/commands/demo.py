"""`auditor demo`: nothing to configure."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.commands.replica import require_replica


@_command("demo")
@click.option("--cloud", default="public", show_default=True, metavar="public|china", help="Which cloud to play.")
@click.option("-o", "--output", default="auditor-demo", show_default=True, metavar="DIR", help="Where reports go.")
@click.option("--lang", metavar="en|zh-CN", help="The language of the reports.")
@click.option("--quiet", is_flag=True, help="Print the summary only.")
@click.pass_obj
def command(call: Call, /, cloud: str, output: str, lang: str | None, quiet: bool) -> None:
    """Serve a sample estate on loopback as Azure would, scan it over the wire, let it drift, and scan again.

    A third night follows in which one subscription cannot be read. It writes HTML and JSON drift reports
    and needs neither an account nor a network.
    """
    from auditor.cli.logs import set_up
    from auditor.config import load_settings

    settings = load_settings({"lang": lang, "cloud": cloud}, {}, Path("/"))
    set_up("text", quiet=True)
    require_replica()
    from auditor.cli.audit import summary
    from auditor.demo.nights import run

    call.say("a sample estate, served on loopback; three nights are scanned over the wire", quiet=quiet)
    with call.display(quiet=quiet) as progress:
        result = run(cloud=settings.cloud, output=Path(output), lang=settings.lang, progress=progress)
    for name, night in zip(("first", "second", "third"), result.nights, strict=True):
        click.echo(f"the {name} night")
        for line in summary(night, lang or "en"):
            click.echo(f"  {line}")
    click.echo("Resource Graph was asked")
    for asked in result.requests:
        click.echo(f"  {asked.table}: {asked.requests} requests, {asked.rows} rows")
    click.echo("what drifted")
    for line in result.drift:
        click.echo(f"  {line}")
    click.echo("reports")
    for path in result.written:
        click.echo(f"  {path}")
