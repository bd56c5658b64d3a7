"""`auditor replica ESTATE`: the other side of the wire, for tests and for trying things out."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.errors import UsageProblem

if TYPE_CHECKING:
    from auditor.replica import Estate

NEEDS = ("duckdb", "duckdb_kql", "cryptography")


@_command("replica")
@click.argument("estate", metavar="[ESTATE]", type=click.Path(path_type=Path), required=False)
@click.option("--synthetic", metavar="SUBSCRIPTIONS:CLUSTERS", help="Serve a made-up tenant of this size instead.")
@click.option("--seed", metavar="N", type=int, help="Which made-up tenant: the same number, the same tenant.")
@click.option("--cloud", metavar="public|china|usgov", help="Play this cloud, where the estate knows several.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one.")
@click.option("--faults", metavar="FILE", type=click.Path(path_type=Path), help="A JSON plan of faults to play.")
@click.option("--no-quota", is_flag=True, help="Do not throttle.")
@click.option("--log", "log_path", metavar="FILE", type=click.Path(path_type=Path), help="A JSON line a request.")
@click.pass_obj
def command(
    call: Call,
    /,
    estate: Path | None,
    synthetic: str | None,
    seed: int | None,
    cloud: str | None,
    port: int,
    faults: Path | None,
    no_quota: bool,
    log_path: Path | None,
) -> None:
    """Serve an estate on loopback as Azure would, until interrupted.

    Standard output gets the environment that lets a scan in another terminal talk to it: copy the lines
    there.
    """
    require_replica()
    from auditor.replica import serve

    served, what = _estate(estate, synthetic, seed, cloud)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with serve(served, port=port, fault_plan=faults, quota=not no_quota, log_path=log_path) as replica:
        for name, value in (*replica.environment().items(), ("AUDITOR_CLOUD", replica.estate.cloud)):
            click.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        call.say(f"serving {what} at {replica.base_url}; Ctrl-C stops")
        stopping.wait()
    call.say(f"stopped after {len(replica.requests)} requests")


def _estate(estate: Path | None, synthetic: str | None, seed: int | None, cloud: str | None) -> tuple[Estate, str]:
    """What to serve, and how to name it."""
    from auditor.replica import load
    from auditor.replica.synthetic import Shape, made

    if (estate is None) == (synthetic is None):
        raise UsageProblem(
            "there is nothing to serve" if estate is None else "an estate file and --synthetic exclude each other",
            hint="name an estate file, or say --synthetic SUBSCRIPTIONS:CLUSTERS",
        )
    if synthetic is not None:
        if cloud not in (None, "public"):
            raise UsageProblem("made-up tenants are of the public cloud", hint="leave --cloud out")
        found = made(Shape.parse(synthetic), seed or 0)
        return found, found.source
    if seed is not None:
        raise UsageProblem("--seed says which made-up tenant, and none was asked for", hint="add --synthetic")
    assert estate is not None
    return load(estate, cloud), str(estate)


def require_replica() -> None:
    """UsageProblem if the extra `replica` is not installed."""
    from importlib.util import find_spec

    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise UsageProblem(
            f"the replica needs {', '.join(missing)}, which this installation lacks",
            hint="install the extra: pip install 'auditor[replica]'",
        )
