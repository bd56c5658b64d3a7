"""Named schedules: the tables `[[schedule]]` of the configuration, each with scopes, checks and outputs of its own."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from auditor.config import Settings, load_settings
from auditor.errors import AuditorError, ManyProblems, UsageProblem
from auditor.service.schedule import Firing, Schedule, parse_schedule

OF_SETTINGS = (
    "subscription",
    "management_group",
    "clusters",
    "check",
    "exclude_check",
    "baseline",
    "waivers",
    "format",
    "output",
    "lang",
)
"""Settings that a schedule may have of its own; all others are the service's."""
KEYS = ("name", "cron", "timezone", "jitter", *OF_SETTINGS)
LONGEST_JITTER = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Plan:
    """One named schedule. `jitter` is the most that a firing is put off; the name is its identity in the history."""

    name: str
    schedule: Schedule
    settings: Settings
    jitter: timedelta = timedelta(0)

    def put_off(self, firing: Firing) -> timedelta:
        """How long this firing is put off: a part of the jitter that depends on schedule, scopes and firing alone.

        So it is the same after a restart and in every instance, and spreads what would begin at once.
        """
        if not self.jitter:
            return timedelta(0)
        scopes = ",".join((*self.settings.subscription, *self.settings.management_group))
        digest = hashlib.sha256(f"{self.name}\n{scopes}\n{firing.local}".encode()).digest()
        return self.jitter * int.from_bytes(digest[:4], "big") / 2**32


def read_plans(
    path: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str], working_directory: Path
) -> tuple[Plan, ...]:
    """The schedules of a configuration file. Raises UsageProblem (ManyProblems for several) that names the schedule."""
    tables = [] if path is None else tomllib.loads(path.read_bytes().decode("utf-8-sig")).get("schedule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageProblem(f"`schedule` in {path} is no list of tables", hint="write [[schedule]]")
    problems: list[AuditorError] = []
    plans: dict[str, Plan] = {}
    for number, table in enumerate(tables, start=1):
        where = f"[[schedule]] {number} of {path}"
        try:
            plan = _plan(table, where, path, flags, environ, working_directory)
            if plan.name in plans:
                raise UsageProblem(f"{where}: there is another schedule called `{plan.name}`")
            plans[plan.name] = plan
        except UsageProblem as problem:
            problems.append(problem)
    if problems:
        raise problems[0] if len(problems) == 1 else ManyProblems(problems)
    return tuple(plans.values())


def _plan(
    table: Mapping[str, Any],
    where: str,
    path: Path | None,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    working_directory: Path,
) -> Plan:
    for key in table:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.6)
            meant = f"; did you mean `{near[0]}`?" if near else ""
            raise UsageProblem(f"{where}: unknown key `{key}`{meant}", hint=f"a schedule has {', '.join(KEYS)}")
    name = table.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
        raise UsageProblem(f"{where}: a schedule needs a `name` of lower-case letters, digits and -")
    cron, timezone = table.get("cron"), table.get("timezone", "UTC")
    if not isinstance(cron, str) or not isinstance(timezone, str):
        raise UsageProblem(f"{where}: `cron` and `timezone` are texts, and `cron` is needed")
    given = {key: table[key] for key in OF_SETTINGS if key in table}
    for key in ("output", "waivers"):
        if path is not None and isinstance(given.get(key), str) and given[key] != "-":
            given[key] = str(path.absolute().parent / Path(given[key]).expanduser())
    try:
        schedule = parse_schedule(cron, timezone)
        settings = load_settings({**flags, **given}, environ, working_directory)
        return Plan(name, schedule, settings, _jitter(table.get("jitter", "0s")))
    except UsageProblem as problem:
        raise UsageProblem(f"{where}: {problem.message}", hint=problem.hint) from None


def _jitter(text: object) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([smh])", text.strip()) if isinstance(text, str) else None
    jitter = timedelta(seconds=int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]) if found else None
    if jitter is None or jitter > LONGEST_JITTER:
        raise UsageProblem(f"the jitter `{text}` is none", hint="such as 90s, 15m or 1h; three hours at most")
    return jitter
