"""Every kind of request of a scan × every fault: the cases, how one is run, and what it may end in.

A case is a whole scan, confirmation included, of an estate in which what can be lost speaks *against* a pass: a rule
that denies, a deny assignment, a missing grant. So a pass that did not need what was lost, but should have, shows as a
finding that fails without the fault and passes with it.

`python tests/wire/matrix.py` (from the top of the repository, `PYTHONPATH=.`) runs all cases and writes the table in
`docs/faults.md`; `test_matrix.py` holds the table against the cases.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from auditor.collect import Clock
from auditor.config import load_settings
from auditor.errors import NothingRead
from auditor.findings import Finding, Report
from auditor.replica import Replica
from auditor.replica import load as load_estate
from auditor.replica.server import RequestRecord
from auditor.report import write
from auditor.scan import scan
from auditor.values import Outcome
from tests.wire import estate as e

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
DEADLINE_S = 900.0
SILENCE_S = 0.4
"""The client's patience where the fault is that nothing comes."""
FAR = e.rid(e.LAB, "net", "Microsoft.Network/virtualNetworks", "far")
PATIENCE_S = 60.0
"""And where it is not: a replica on a busy machine may be slow, and that is no fault."""
SLOWEST_S = DEADLINE_S + 2 * PATIENCE_S + 300.0
"""A scan ends by its deadline and the one answer that was under way, then its confirmation's five minutes."""
LACKING = ("kubernetesconfigurationresources", "authorizationresources", "dnsresources")

# Kinds of requests: what a fault plan matches them by. The second world's Resource Graph lacks tables, as Azure China's
# may.
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "sign-in: discovery": ("indexed", {"operation": "openid"}),
    "sign-in: token": ("indexed", {"operation": "token"}),
    "subscriptions": ("indexed", {"table": "resourcecontainers", "query": r"subscriptions' \| project"}),
    "subscriptions outside": ("indexed", {"table": "resourcecontainers", "query": "subscriptionId in~"}),
    "estate": ("indexed", {"table": "resources", "query": r"^resources \| where type in~"}),
    "extensions": ("indexed", {"table": "kubernetesconfigurationresources"}),
    "references": ("indexed", {"table": "resources", "query": r"^resources \| where \("}),
    "admin rules": ("indexed", {"table": "networkresources"}),
    "A records": ("indexed", {"table": "dnsresources"}),
    "assignments": ("indexed", {"table": "authorizationresources", "query": "roleassignments'"}),
    "definitions": ("indexed", {"table": "authorizationresources", "query": "roledefinitions'"}),
    "group's descendants": ("indexed", {"path": "/descendants"}),
    "own rights at a group": ("indexed", {"path": "^/providers/.*/permissions"}),
    "own rights": ("indexed", {"path": "^/subscriptions/.*/permissions"}),
    "computes": ("indexed", {"path": r"/computes\?"}),
    "old compute": ("indexed", {"path": "/computes/"}),
    "assignments at scope": ("indexed", {"path": r"roleAssignments\?.*atScope"}),
    "assignment's condition": ("indexed", {"path": "roleAssignments/"}),
    "deny assignments": ("indexed", {"path": "denyAssignments"}),
    "eligible assignments": ("indexed", {"path": "roleEligibility"}),
    "active assignments": ("indexed", {"path": "roleAssignmentSchedule"}),
    "service tags": ("indexed", {"path": "serviceTags"}),
    "service principal": ("indexed", {"path": "appId="}),
    "memberships": ("indexed", {"path": "transitiveMemberOf"}),
    "confirm: resource": (
        "indexed",
        {"operation": "arm-get", "path": r"Microsoft\.(ContainerS|Network|ContainerI|MachineL)(?!.*computes)"},
    ),
    "confirm: assignments": ("indexed", {"path": "assignedTo"}),
    "confirm: definition": ("indexed", {"path": "roleDefinitions/"}),
    "authors: changes": ("indexed", {"table": "resourcechanges"}),
    "authors: activity": ("indexed", {"path": "eventtypes"}),
    "extensions by ARM": ("bare", {"path": r"/extensions\?"}),
    "A records by ARM": ("bare", {"path": r"privateDnsZones/.*/A\?"}),
    "assignments by ARM": ("bare", {"path": r"resourceGroups/.*roleAssignments\?.*atScope"}),
    "a principal's, by ARM": ("bare", {"path": "principalId%20eq"}),
    "definition by ARM": ("bare", {"path": "roleDefinitions/"}),
}
_MINUTE = {"seconds": 60}
FAULTS: dict[str, dict[str, Any]] = {
    "403": {"fault": 403},
    "404": {"fault": 404},
    "409": {"fault": 409},
    "429, Retry-After": {"fault": 429, "retryAfter": "3"},
    "429": {"fault": 429},
    "500": {"fault": 500},
    "503": {"fault": 503},
    "reset": {"fault": "reset"},
    "timeout": {"fault": "slow", **_MINUTE},
    "drip": {"fault": "drip", **_MINUTE, "pieces": 200},
    "truncated": {"fault": "truncate"},
    "wrong JSON": {"fault": "wrong-json"},
    "wrong type": {"fault": "wrong-content-type"},
    "expired token": {"fault": "expired-token"},
    "certificate": {"fault": "certificate-change"},
    "row repeated": {"fault": "repeat-row"},
    "row lost": {"fault": "lose-row"},
    "foreign nextLink": {"fault": "foreign-nextlink"},
    "registration": {"fault": "missing-registration"},
    "cluster deleted": {"fault": "deletion", "resource": e.CLUSTER},
    "NSG deleted": {"fault": "deletion", "resource": e.NSG},
}
_OF_THE_SIGNED_IN = frozenset({"expired-token", "claims-challenge", "missing-registration"})
_OF_PAGES = frozenset({"repeat-row", "lose-row", "foreign-nextlink"})
SINGLE = frozenset(
    {"old compute", "assignment's condition", "service tags", "service principal", "confirm: resource",
     "confirm: definition", "definition by ARM"}
)  # fmt: skip
"""Kinds that answer with one object: no pages, no rows."""
EMPTY = frozenset(
    {"admin rules", "eligible assignments", "active assignments", "authors: changes", "authors: activity"}
)
"""Kinds that answer with no row here: none can be lost or come twice."""

Plan = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """One fault at one kind of request, once or at each of them."""

    kind: str
    fault: str
    always: bool

    @property
    def world(self) -> str:
        """Which of the two worlds the kind is asked in."""
        return KINDS[self.kind][0]

    @property
    def plan(self) -> Plan:
        """The case as the replica's fault plan."""
        line = {"match": KINDS[self.kind][1], **FAULTS[self.fault]}
        return [line if self.always else {**line, "times": 1}]

    @property
    def label(self) -> str:
        """For a test's name."""
        return f"{self.kind} - {self.fault} - {'always' if self.always else 'once'}"


def applies(kind: str, fault: str) -> bool:
    """Whether the fault can happen to the kind of request at all, or be noticed by anybody.

    ARM's and Microsoft Graph's lists tell no number of rows: a row that they leave out is nowhere missing.
    """
    what = FAULTS[fault]["fault"]
    if what in _OF_PAGES and (kind in SINGLE or kind.startswith("sign-in")):
        return False
    if what in ("repeat-row", "lose-row") and kind in EMPTY:
        return False
    if what == "lose-row" and "table" not in KINDS[kind][1]:
        return False
    if what == "foreign-nextlink" and "table" in KINDS[kind][1]:
        return False  # a query goes on by a token, not by a link
    return not (what in _OF_THE_SIGNED_IN and kind.startswith("sign-in"))


def cases() -> list[Case]:
    """All of them."""
    return [
        Case(kind, fault, always)
        for kind, fault, always in itertools.product(KINDS, FAULTS, (False, True))
        if applies(kind, fault) and not (always and "resource" in FAULTS[fault])  # what is gone goes no more
    ]


def ill(world: str) -> e.Body:
    """The estate with bad news wherever news can be lost."""
    body = e.estate(lacksTables=list(LACKING) if world == "bare" else [])
    for each in body["subscriptions"]:
        if each["id"] == e.LAB:
            each["managementGroup"] = "platform"  # outside of what is asked for, and a network there is referred to
    body["resources"].append(e.resource(FAR, {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}))
    for one in body["resources"]:
        if one["id"] == e.NSG:
            every = {"sourcePortRange": "*", "destinationPortRange": "*", "protocol": "*"}
            every |= {"sourceAddressPrefix": "*", "destinationAddressPrefix": "*"}
            denying = {"priority": 100, "direction": "Outbound", "access": "Deny", **every}
            one["properties"]["securityRules"] = [
                {"id": f"{e.NSG}/securityRules/no", "name": "no", "properties": denying}
            ]
        elif one["id"] == e.VNET:
            far = {"remoteVirtualNetwork": {"id": FAR}, "peeringState": "Connected"}
            one["properties"]["virtualNetworkPeerings"].append({"id": f"{e.VNET}/peer", "name": "p", "properties": far})
        elif one["id"] == e.DENIAL:
            one["properties"]["permissions"] = [{"actions": ["Microsoft.Network/*"]}]
            one["properties"]["principals"] = [{"id": e.CONTROL_PLANE, "type": "ServicePrincipal"}]
        elif one["id"] == e.COMPUTE_V1:
            one["properties"]["properties"] = None  # so it is asked for once more, in its old version
        elif one["id"] == e.GRANT:
            del one["properties"]["condition"]  # so ARM is asked for it
    return body


class Flowing:
    """A clock that goes on by itself and jumps over every pause: sockets wait for real, retries do not."""

    def __init__(self) -> None:
        self._begun, self.slept = time.monotonic(), 0.0

    def monotonic(self) -> float:
        return time.monotonic() - self._begun + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: NOW, monotonic=self.monotonic, sleep=self.sleep)


@dataclass(frozen=True, slots=True)
class Ended:
    """How one scan ended: its report, or the line that says why there is none."""

    report: Report | None
    said: str
    took_s: float
    requests: tuple[RequestRecord, ...]

    @property
    def verdicts(self) -> dict[str, Finding]:
        """The findings by id; none without a report."""
        return {each.id: each for each in self.report.findings} if self.report else {}

    @property
    def gaps(self) -> set[tuple[str, str]]:
        """(scope, what) of each gap."""
        return {(each.scope, each.what) for each in self.report.run.gaps} if self.report else set()


@dataclass
class World:
    """A running replica, and what a scan of it finds when nothing goes wrong."""

    name: str
    replica: Replica
    folder: Path
    baseline: str = "none"
    without: dict[str, Ended] = field(default_factory=dict)
    """Scans of the estate as it is after a deletion, by the resource; `` is the whole estate."""

    def scanned(self, plan: Plan | None = None) -> Ended:
        """A scan of the world while the plan is in force; the world is whole again afterwards."""
        self.replica.forget_requests()
        self.replica.set_faults(plan)
        silent = any(line["fault"] in ("slow", "drip") for line in plan or ())
        settings = load_settings(
            {
                "cloud": "china",
                "management_group": ("ml",),
                "subscription": (e.HUB,),
                "no_history": True,
                "baseline": self.baseline,
                "deadline": DEADLINE_S,
                "request_timeout": SILENCE_S if silent else PATIENCE_S,
            },
            {},
            self.folder,
        )
        flowing, environment = Flowing(), self.replica.environment()
        report, said = None, ""
        try:
            report = scan(settings, environment=environment, clock=lambda: NOW, waiting=flowing.clock).report
        except NothingRead as nothing:
            said = str(nothing)
        finally:
            self.replica.set_faults(None)
        ended = Ended(report, said, flowing.monotonic(), tuple(self.replica.requests))
        if plan and any(line["fault"] == "deletion" for line in plan):
            self.replica.load(self.folder / "estate.json")
        return ended

    def plain(self, deleted: str = "") -> Ended:
        """The scan without any fault, of the estate without a resource."""
        if deleted not in self.without:
            if deleted:
                body = ill(self.name)
                keep = [one for one in body["resources"] if not (one["id"] + "/").startswith(deleted + "/")]
                path = self.folder / "later.json"
                path.write_text(json.dumps({**body, "resources": keep}), encoding="utf-8")
                self.replica.load(path)
            self.without[deleted] = self.scanned()
            if deleted:
                self.replica.load(self.folder / "estate.json")
        return self.without[deleted]


@contextmanager
def running(name: str) -> Iterator[World]:
    """A world, with a baseline that makes every failure a new one: so each is confirmed."""
    with tempfile.TemporaryDirectory(prefix="matrix ") as folder:
        path = Path(folder) / "estate.json"
        path.write_text(json.dumps(ill(name)), encoding="utf-8")
        with Replica(load_estate(path), quota=False) as replica:
            world = World(name, replica, Path(folder))
            first = world.scanned().report
            assert first is not None
            kept = tuple(each for each in first.findings if each.outcome is not Outcome.FAIL)
            write(msgspec.structs.replace(first, findings=kept), ["json"], Path(folder) / "before")
            world.baseline = str(Path(folder) / "before" / "report.json")
            yield world


COMPLETE, GAP, TOLD, NOTHING = "ok", "gap", "told", "exit 4"
MEANINGS: Mapping[str, str] = {
    COMPLETE: "after retries the scan is complete, and its findings are those of a scan without the fault",
    GAP: "a gap names the scope and what is missing there",
    TOLD: "no scope is missing, but a note says what was read another way or not confirmed, or findings are unknown",
    NOTHING: "nothing could be read at all: exit status 4, and one line that says why",
}


def ending(world: World, ended: Ended) -> str:
    """Which of the four a scan ended in."""
    if ended.report is None:
        return NOTHING
    plain = world.plain()
    if ended.gaps - plain.gaps:
        return GAP
    assert plain.report is not None
    same = _told(ended.report) == _told(plain.report)
    return COMPLETE if same else TOLD


def _told(report: Report) -> tuple[object, ...]:
    return (
        [(each.id, each.outcome, each.reason, each.confirmed) for each in report.findings],
        sorted(each.text for each in report.run.notes),
    )


def wrongs(world: World, case: Case | None, ended: Ended, deleted: str = "") -> list[str]:
    """What a scan under a fault did that no scan may do; nothing, if all is well."""
    found = []
    if not any(record.fault for record in ended.requests):
        found.append("the fault was never met")
    writes = {record.path for record in ended.requests if record.operation in ("write", "unknown")}
    found += [f"a write was sent: {path}" for path in sorted(writes)]
    if ended.took_s > SLOWEST_S:
        found.append(f"it took {ended.took_s:.0f} s")
    if ended.report is None:
        return found + ([] if ended.said and "\n" not in ended.said else [f"it said {ended.said!r}"])
    plain = world.plain().verdicts
    later = world.plain(deleted).verdicts if deleted else {}
    for key, each in ended.verdicts.items():
        if each.reason in ("check-error", "no-verdict"):
            found.append(f"{each.check}: {each.message}")
        if _told_without_denials(each, ended):
            continue
        before = {other[key].outcome for other in (plain, later) if key in other}
        if each.outcome is Outcome.PASS and Outcome.PASS not in before:
            found.append(f"{each.check} of {each.resource.name} passes ({each.reason}); without the fault {before}")
    if case is not None and any(not scope.startswith("/") for scope, _ in ended.gaps):
        found.append("a gap names no scope")
    complete = bool(ended.report.run.complete)
    if any(each.required for each in ended.report.run.gaps) and complete:
        found.append("a required gap, and the run calls itself complete")
    return found


def _told_without_denials(finding: Finding, ended: Ended) -> bool:
    """Whether a grant passes with the note, and the gap, that deny assignments were not read: the one exception.

    The requirements have it so, since deny assignments are rare and the right to read them is often missing.
    """
    noted = any("deny assignments, which could take it away, were not read" in each.note for each in finding.evidence)
    return noted and any(what.casefold() == "microsoft.authorization/denyassignments" for _, what in ended.gaps)


def run(world: World, case: Case) -> tuple[str, list[str]]:
    """A case's ending, and what was wrong with it."""
    deleted = str(FAULTS[case.fault].get("resource", ""))
    ended = world.scanned(case.plan)
    return ending(world, ended), wrongs(world, case, ended, deleted)


# ---------------------------------------------------------------- the table of docs/faults.md

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- table: made by tests/wire/matrix.py -->\n", "<!-- end of the table -->\n"


def table(endings: Mapping[Case, str]) -> str:
    """The table: a line a kind, a column a fault; how it ends if the fault comes once / always."""
    lines = ["| | " + " | ".join(FAULTS) + " |", "| --- |" + " --- |" * len(FAULTS)]
    for kind in KINDS:
        cells = []
        for fault in FAULTS:
            once, always = (endings.get(Case(kind, fault, always)) for always in (False, True))
            cells.append("·" if once is None else once if always in (None, once) else f"{once} / {always}")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    counts = {each: sum(found == each for found in endings.values()) for each in MEANINGS}
    summary = ", ".join(f"{count} `{each}`" for each, count in counts.items())
    head = f"{len(endings)} scans: {len(KINDS)} kinds of requests, {len(FAULTS)} faults, once and always. {summary}.\n"
    return head + "\n" + "\n".join(lines) + "\n"


def written() -> dict[Case, str]:
    """The endings that the page's table promises."""
    text = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in text.splitlines() if line[:1] == "|"]
    heads = rows[0]
    found = {}
    for row in rows[2:]:
        for fault, cell in zip(heads if heads[0] else heads[1:], row[1:], strict=True):
            if cell == "·":
                continue
            once, _, always = cell.partition(" / ")
            found[Case(row[0], fault, False)] = once
            if "resource" not in FAULTS[fault]:
                found[Case(row[0], fault, True)] = always or once
    return found


_WORLDS: dict[str, World] = {}
_OPEN = contextlib.ExitStack()


def _all_of(kind: str) -> list[tuple[Case, str, list[str]]]:
    name = KINDS[kind][0]
    if name not in _WORLDS:
        _WORLDS[name] = _OPEN.enter_context(running(name))
    return [(case, *run(_WORLDS[name], case)) for case in cases() if case.kind == kind]


def main() -> int:
    """Run all cases in three processes and write the table; 1 if one of them ended as none may."""
    import concurrent.futures
    import sys

    only = re.compile(sys.argv[1]) if len(sys.argv) > 1 else None
    kinds = [kind for kind in KINDS if only is None or only.search(kind)]
    endings: dict[Case, str] = {}
    bad = 0
    with concurrent.futures.ProcessPoolExecutor(3) as pool:
        for results in pool.map(_all_of, kinds):
            for case, how, wrong in results:
                endings[case] = how
                bad += bool(wrong)
                for line in wrong:
                    print(f"{case.label}: {line}")
            print(results[0][0].kind, {how for _, how, _ in results}, flush=True)
    if only is None and not bad:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(before + BEGIN + "\n" + table(endings) + "\n" + END + after, encoding="utf-8")
    else:
        print(table(endings))
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
