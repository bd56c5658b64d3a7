"""`auditor serve`: scans on schedules and on demand, with a dashboard and an HTTP API, until it is stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.options import settings_flags
from auditor.config import configuration_file, keys
from auditor.errors import NothingRead, UsageProblem

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.findings import Report
    from auditor.notify import Courier
    from auditor.service import Plan
    from auditor.service.desk import Order
    from auditor.service.options import Options

FLAGS = tuple(name for name, key in keys().items() if key.flag and name not in ("snapshot", "no_history", "notify"))
OWN = ("listen", "allow_host", "no_auth", "audience", "sign_in_tenant", "proxy_header")
ONE = "nightly"
"""What the schedule of --cron is called."""


@_command("serve")
@click.option("--listen", metavar="HOST:PORT", help="Where to listen [127.0.0.1:8743]; `off`: only the schedules.")
@click.option("--cron", metavar="EXPR", help="One schedule: minute, hour, day, month, weekday: '0 2 * * *'.")
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="Whose clock --cron reads: Asia/Shanghai.",
)
@click.option("--allow-host", multiple=True, metavar="HOST", help="A name by which it may be called. Repeatable.")
@click.option("--audience", multiple=True, metavar="ID", help="Take Entra ID tokens made out for it. Repeatable.")
@click.option("--sign-in-tenant", metavar="ID", help="The tenant whose tokens are taken, if not the one to scan.")
@click.option("--proxy-header", metavar="NAME", help="The header in which a proxy passes a person's token on.")
@click.option("--no-auth", is_flag=True, default=None, help="Let everybody in; on loopback only.")
@settings_flags(*FLAGS)
@click.pass_obj
def command(call: Call, /, cron: str | None, timezone: str, **flags: Any) -> int:
    """Serve until SIGTERM or Ctrl-C: scans on schedules and on demand, dashboard, HTTP API, metrics.

    Schedules are the tables [[schedule]] of the configuration file, and that of --cron. A scan that fails is
    told in a line and does not end the service. A night missed while nobody served is made up for once. Who
    calls needs an API token (`auditor token create`) or a token of Entra ID (--audience).
    """
    from auditor.cli.audit import destination
    from auditor.report import prepare
    from auditor.service.options import read_options

    own = {name: flags.pop(name) for name in OWN}
    settings = call.settings(flags)
    path, named = configuration_file(flags, call.environment, call.working_directory)
    plans = _plans(call, settings, path, flags, cron, timezone)
    options = read_options(own, path, named=named, environ=call.environment, tenant=settings.tenant)
    if options.address is None and not plans:
        raise UsageProblem(
            "nothing to serve: no schedule, and nothing listens",
            hint="--cron '0 2 * * *', or [[schedule]] in auditor.toml",
        )
    # What is wrong with the output is told now, to the person who starts the service, not at two in the
    # morning.
    for plan in plans:
        prepare(plan.settings.format, destination(plan.settings), template=plan.settings.template)

    with _away_is_no_mistake():
        return _served(call, settings, plans, options, _courier(call, settings, path, named=named))


@contextmanager
def _away_is_no_mistake() -> Iterator[None]:
    """A database server that is not there (yet): another start may mend that, so it ends with 4.

    Supervisors start it again on 4, and do not on 2, a mistake.
    """
    from auditor.history import HistoryProblem
    from auditor.history.problems import went_away

    try:
        yield
    except HistoryProblem as problem:
        if not went_away(problem):
            raise
        raise NothingRead(problem.message, hint="is the server up? The service is to be started again") from problem


def _served(call: Call, settings: Settings, plans: tuple[Plan, ...], options: Options, courier: Courier | None) -> int:
    from auditor.service.run import Told, run

    def tell(report: Report, order: Order) -> None:
        if courier is not None:
            courier.tell(report, on_demand=order.request.schedule is None)

    if courier is not None:
        courier.start()
    told = Told(
        settings=settings,
        plans=plans,
        options=options,
        environment=call.environment,
        clock=call.clock,
        say=call.say,
        scan=lambda wanted, order: _scan(call, wanted, order, courier),
        write=lambda wanted, report: _write(call, wanted, report),
        tell=tell,
        courier=courier,
    )
    try:
        run(told)
    finally:
        if courier is not None:
            courier.close()
    return 0


def _courier(call: Call, settings: Settings, path: Path | None, *, named: bool) -> Courier | None:
    """Who sends on what scans find; None where nobody is to be told."""
    from auditor.cli.telling import courier_for, receivers

    targets = receivers(call, settings, path, named=named)
    return courier_for(call, settings, targets) if targets else None


def _plans(
    call: Call, settings: Settings, path: Path | None, flags: Mapping[str, Any], cron: str | None, timezone: str
) -> tuple[Plan, ...]:
    from auditor.service import Plan, parse_schedule, read_plans

    plans = read_plans(path, flags, call.environment, call.working_directory)
    if cron is None:
        return plans
    if any(plan.name == ONE for plan in plans):
        raise UsageProblem(f"--cron makes a schedule called `{ONE}`, and {path} has one too", hint="leave --cron out")
    return (*plans, Plan(ONE, parse_schedule(cron, timezone), settings))


def _scan(call: Call, settings: Settings, order: Order, courier: Courier | None) -> tuple[Report, int]:
    from auditor.scan import scan

    beside = order.beside
    if courier is not None:
        beside = courier.beside(beside, on_demand=order.request.schedule is None)
    result = scan(
        settings,
        environment=call.environment,
        progress=order.progress,
        clock=call.clock,
        stop=order.stop,
        beside=beside,
        persistent=True,
    )
    return result.report, result.exit_status


def _write(call: Call, settings: Settings, report: Report) -> Sequence[Path]:
    from auditor import report as reports
    from auditor.cli.audit import Audit, destination, trend
    from auditor.i18n import choose

    written = reports.write(
        report,
        settings.format,
        destination(settings),
        template=settings.template,
        group_by=settings.group_by,  # type: ignore[arg-type]  # checked against the same choices
        lang=choose(settings.lang, call.environment),
        history_trend=trend(call, settings, report),
    )
    for line in Audit(report, tuple(written), 0).summary():
        call.say(line, quiet=settings.quiet)
    return written
