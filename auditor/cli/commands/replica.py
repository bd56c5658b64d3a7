"""`auditor replica ESTATE`: the other side of the wire, for tests and for trying things out."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from pathlib import Path

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.errors import UsageProblem

NEEDS = ("duckdb", "duckdb_kql", "cryptography")


@_command("replica")
@click.argument("estate", metavar="ESTATE", type=click.Path(path_type=Path))
@click.option("--cloud", metavar="public|china|usgov", help="Play this cloud, where the estate knows several.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one.")
@click.option("--faults", metavar="FILE", type=click.Path(path_type=Path), help="A JSON plan of faults to play.")
@click.option("--no-quota", is_flag=True, help="Do not throttle.")
@click.option("--log", "log_path", metavar="FILE", type=click.Path(path_type=Path), help="A JSON line a request.")
@click.pass_obj
def command(
    call: Call,
    /,
    estate: Path,
    cloud: str | None,
    port: int,
    faults: Path | None,
    no_quota: bool,
    log_path: Path | None,
) -> None:
    """Serve an estate file on loopback as Azure would, until interrupted.

    Standard output gets the environment that lets a scan in another terminal talk to it: copy the lines
    there.
    """
    require_replica()
    from auditor.replica import load, serve

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    served = load(estate, cloud)
    with serve(served, port=port, fault_plan=faults, quota=not no_quota, log_path=log_path) as replica:
        for name, value in (*replica.environment().items(), ("AUDITOR_CLOUD", replica.estate.cloud)):
            click.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        call.say(f"serving {estate} at {replica.base_url}; Ctrl-C stops")
        stopping.wait()
    call.say(f"stopped after {len(replica.requests)} requests")


def require_replica() -> None:
    """UsageProblem if the extra `replica` is not installed."""
    from importlib.util import find_spec

    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise UsageProblem(
            f"the replica needs {', '.join(missing)}, which this installation lacks",
            hint="install the extra: pip install 'auditor[replica]'",
        )
