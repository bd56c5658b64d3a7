"""Every input of every check, taken away: what is missing turns a verdict to unknown, and nothing to green.

Generated over the estates of `tests/healthy.py` and all loaded checks. Two kinds of holes:

- something could not be read (a row with a gap in its place, a malformed row, a gap over a type, a table, a resource
  group, a subscription). No new decided verdict may come of that: each finding stays as it was, becomes unknown or
  goes with its resource; and no pass stays whose evidence lay in the hole.
- a property is not there. Absence often has a documented meaning, so verdicts may change, but a pass may not appear,
  nor stay on evidence that is gone, unless `ABSENCE_MEANS` says what the absence means.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any
from zlib import crc32

import pytest

from auditor.evaluate import evaluate
from auditor.findings import Finding
from auditor.inventory import Inventory
from auditor.values import Gap
from tests.estate import SUB, Body, catalogue, terms
from tests.healthy import ESTATES, HEALTHY, Estate

Key = tuple[str, str, str]
Judged = dict[Key, Finding]
SUBSCRIPTION = f"/subscriptions/{SUB}"
NEVER_PASSES = {
    "aci-workspace-private-endpoint": "two editions of the document contradict each other: it warns at best",
}

# Passes that rest on more than one witness: (check, type of what is missing) -> why it cannot matter.
CANNOT_MATTER = {
    ("nsg-lb-probe-inbound", "microsoft.network/loadbalancers"): "every port is open to probes, whichever they ask",
    (
        "aml-image-build-compute",
        "microsoft.containerregistry/registries",
    ): "a compute that is named builds for any registry",
    ("route-default-egress", "microsoft.network/azurefirewalls"): "any appliance in the network will do",
}

# (type, path) -> what its absence means, by the documents. Paths without indices; `*` stands for anything.
ABSENCE_MEANS = {
    ("microsoft.authorization/roledefinitions", "properties.type"): "judged like a custom role, the stricter reading",
    ("microsoft.containerregistry/registries", "properties.publicNetworkAccess"): "Enabled",
    ("*/managedclusters", "properties.agentPoolProfiles.type"): "a scale set",
    ("*/managedclusters", "properties.agentPoolProfiles.upgradeSettings.maxSurge"): "a node or a tenth of the pool",
    ("*/managedclusters", "properties.agentPoolProfiles.vnetSubnetID"): "a network that AKS manages",
    ("*/managedclusters", "properties.agentPoolProfiles.podSubnetID"): "pods share the nodes' subnet",
    ("*/managedclusters", "properties.apiServerAccessProfile"): "a public API server",
    ("*/managedclusters", "properties.apiServerAccessProfile.*"): "a public API server, a system zone",
    ("*/managedclusters", "properties.networkProfile.loadBalancerSku"): "standard",
    ("*/managedclusters", "properties.networkProfile.outboundType"): "loadBalancer",
    ("*/managedclusters", "properties.networkProfile.podCidrs"): "podCidr says it too",
    ("*/managedclusters", "properties.networkProfile.serviceCidrs"): "serviceCidr says it too",
    ("*/managedclusters", "properties.networkProfile"): "nothing for what does not read it",
    ("*/extensions", "properties.configurationSettings.allowInsecureConnections"): "False",
    ("*/extensions", "properties.configurationSettings.sslCname"): "a name of the certificate's",
    ("*/workspaces", "properties.containerRegistry"): "no registry yet: the region's tag is judged, and said so",
    ("*/workspaces/computes", "properties.provisioningState"): "not pending",
    ("*/loadbalancers", "properties.frontendIPConfigurations*"): "no such frontend",
    ("*/loadbalancers", "properties.loadBalancingRules*"): "no rule: nothing is served",
    ("*/networksecuritygroups", "properties.securityRules"): "no custom rules",
    ("*/networksecuritygroups", "properties.securityRules.properties.*AddressPrefix"): "matches nothing (0.2)",
    ("*/routetables", "properties.routes"): "no routes",
    ("*/servicetags", "properties.values*"): "a tag that this cloud does not publish",
    ("*/virtualnetworks", "properties.subnets.properties.delegations"): "not delegated",
    ("*/virtualnetworks", "properties.subnets.properties.networkSecurityGroup*"): "no group",
    ("*/virtualnetworks", "properties.subnets.properties.routeTable*"): "no table",
    ("*/virtualnetworks", "properties.virtualNetworkPeerings"): "no peers",
}  # fmt: skip


@dataclass(frozen=True)
class Hole:
    """What is left of an estate: `lost` are folded ids of what is gone or unreadable."""

    name: str
    rows: list[Body]
    gaps: tuple[Gap, ...] = ()
    lost: frozenset[str] = field(default_factory=frozenset)


@cache
def _made(name: str) -> Estate:
    return ESTATES[name]()


def _judged(inventory: Inventory) -> Judged:
    found = evaluate(inventory, catalogue(), terms())
    return {(f.check, f.resource.id.casefold(), f.part or ""): f for f in found}


@cache
def _whole(name: str) -> Judged:
    return _judged(_made(name).inventory())


def _gap(scope: str, what: str = "*") -> Gap:
    return Gap(scope, what, "403 AuthorizationFailed", f"grant Reader on {scope}")


def _id(row: Body) -> str:
    return str(row.get("id", "")).casefold()


def _without(estate: Estate, name: str, gap: Gap, gone: Callable[[Body], bool]) -> Hole:
    lost = frozenset(_id(row) for row in estate.rows if gone(row) and _id(row))
    return Hole(name, [row for row in estate.rows if not gone(row)], (gap,), lost)


def removed(estate: Estate) -> Iterator[Hole]:
    """Each row in turn, with a gap in its place."""
    for row in estate.rows:
        if _id(row):
            at = _id(row)
            yield _without(estate, f"{row['id']} removed", _gap(row["id"]), lambda r, at=at: _id(r) == at)  # type: ignore[misc]


def malformed(estate: Estate) -> Iterator[Hole]:
    """Each row in turn with a body of another shape than Azure documents."""
    for at, row in enumerate(estate.rows):
        if not _id(row):
            continue
        rows = [*estate.rows[:at], {**row, "properties": 7}, *estate.rows[at + 1 :]]
        yield Hole(f"{row['id']} malformed", rows, (), frozenset({_id(row)}))


def types_unread(estate: Estate) -> Iterator[Hole]:
    """Each type in turn: none of it listed, or (the listing broke off at the end) all of it."""
    for kind in sorted({str(row["type"]).casefold() for row in estate.rows if _id(row)}):
        gap = _gap(SUBSCRIPTION, kind)
        yield _without(estate, f"no {kind}", gap, lambda r, kind=kind: str(r["type"]).casefold() == kind)  # type: ignore[misc]
        yield Hole(f"gap over {kind}", list(estate.rows), (gap,))


TABLES = {
    "authorizationresources": ("microsoft.authorization/",),
    "kubernetesconfigurationresources": ("microsoft.kubernetesconfiguration/",),
    "dnsresources": ("microsoft.network/privatednszones/a",),
    "resourcecontainers": ("microsoft.resources/",),
}


def tables_unread(estate: Estate) -> Iterator[Hole]:
    """Each Resource Graph table in turn."""
    elsewhere = (
        *(p for prefixes in TABLES.values() for p in prefixes),
        "microsoft.machinelearningservices/workspaces/c",
    )
    for table, prefixes in TABLES.items():
        gap = _gap(SUBSCRIPTION, table)
        yield _without(estate, f"no {table}", gap, lambda r, p=prefixes: str(r["type"]).casefold().startswith(p))  # type: ignore[misc]
    gap = _gap(SUBSCRIPTION, "resources")
    yield _without(estate, "no resources", gap, lambda r: not str(r["type"]).casefold().startswith(elsewhere))


def scopes_unread(estate: Estate) -> Iterator[Hole]:
    """Each resource group in turn, and the subscription."""
    groups = {"/".join(_id(row).split("/")[:5]) for row in estate.rows if "/resourcegroups/" in _id(row)}
    for scope in sorted({*groups, SUBSCRIPTION}):
        yield _without(estate, f"no {scope}", _gap(scope), lambda r, s=scope: f"{_id(r)}/".startswith(f"{s}/"))  # type: ignore[misc]
        yield Hole(f"gap over {scope}", list(estate.rows), (_gap(scope),))


HOLES = {each.__name__: each for each in (removed, malformed, types_unread, tables_unread, scopes_unread)}


def _problems(before: Judged, after: Judged, lost: frozenset[str], kinds: frozenset[str]) -> Iterator[str]:
    """What a hole may not do to verdicts."""
    for key, now in after.items():
        was = before.get(key)
        said = f"{key[0]} of {now.resource.name} {key[2].rsplit('/', 1)[-1]}"
        if now.reason == "check-error":
            yield f"{said}: {now.message}"
        elif was is None and now.outcome != "unknown":
            yield f"{said}: {now.outcome} ({now.reason}) appears"
        elif was is not None and now.outcome not in (was.outcome, "unknown"):
            yield f"{said}: {was.outcome} ({was.reason}) turns to {now.outcome} ({now.reason})"
        elif was is not None and now.outcome == "pass" and not any((key[0], kind) in CANNOT_MATTER for kind in kinds):
            gone = {e.resource.casefold() for e in was.evidence} & lost
            if gone:
                yield f"{said}: stays pass ({now.reason}) although {sorted(gone)[0]} is unread"


@pytest.mark.parametrize("make", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("name", ESTATES)
def test_what_could_not_be_read_decides_nothing(name: str, make: Callable[[Estate], Iterator[Hole]]) -> None:
    estate, before = _made(name), _whole(name)
    wrong = []
    holes = 0
    for hole in make(estate):
        holes += 1
        after = _judged(estate.inventory(hole.rows, hole.gaps))
        kinds = frozenset(str(row["type"]).casefold() for row in estate.rows if _id(row) in hole.lost)
        wrong += [f"{hole.name}: {problem}" for problem in _problems(before, after, hole.lost, kinds)]
    assert holes >= 4
    assert wrong == []


# ---------------------------------------------------------------- properties

Path = tuple[str | int, ...]
WRONG = {str: {"wrong": "type"}, bool: "perhaps", int: {"wrong": "type"}, list: 7, dict: 7}


def _paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every property below a value, with the indices of lists."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*at, key)
            yield from _paths(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*at, index))


def _bent(row: Body, path: Path, how: str) -> Body:
    row = copy.deepcopy(row)
    holder: Any = row
    for step in path[:-1]:
        holder = holder[step]
    if how == "absent":
        del holder[path[-1]]
    elif how == "null":
        holder[path[-1]] = None
    else:
        holder[path[-1]] = WRONG[type(holder[path[-1]])]
    return row


def _spelled(path: Path) -> str:
    return ".".join(str(step) for step in path if not isinstance(step, int))


def _evidence_path(path: str) -> str:
    """`properties.agentPoolProfiles['a'].count` without what is in brackets."""
    return re.sub(r"\[[^\]]*\]", "", path)


def _has_meaning(kind: str, path: str) -> bool:
    return any(fnmatchcase(kind, k) and fnmatchcase(path, p) for k, p in ABSENCE_MEANS)


def _bends(estate: Estate) -> Iterator[tuple[int, Body, Path, str]]:
    for number, row in enumerate(estate.rows):
        for path in _paths(row) if _id(row) else ():
            if path[0] not in ("id", "type", "name"):
                for how in ("absent", "null", "wrong type"):
                    if how != "wrong type" or _value(row, path) is not None:
                        yield number, row, path, how


def _value(row: Body, path: Path) -> Any:
    found: Any = row
    for step in path:
        found = found[step]
    return found


def _absent(before: Judged, after: Judged, row: Body, path: Path) -> Iterator[str]:
    """What a property that is not there may not do."""
    if _has_meaning(str(row["type"]).casefold(), _spelled(path)):
        return
    for key, now in after.items():
        was = before.get(key)
        said = f"{key[0]} of {now.resource.name} {key[2].rsplit('/', 1)[-1]}"
        if now.outcome != "pass":
            continue
        if was is None or was.outcome != "pass":
            yield f"{said}: pass ({now.reason}) appears, was {was.outcome if was else 'not there'}"
            continue
        shown = {_evidence_path(e.path) for e in was.evidence if e.resource.casefold() == _id(row)}
        if _spelled(path) in shown:
            yield f"{said}: stays pass ({now.reason})"


def _sick_properties(name: str, every: int) -> list[str]:
    """What goes wrong when properties of an estate are bent, one in `every` of them."""
    estate, before = _made(name), _whole(name)
    wrong = []
    for number, row, path, how in _bends(estate):
        label = f"{row['id']} {'.'.join(map(str, path))} {how}"
        if crc32(label.encode()) % every:
            continue
        rows = [*estate.rows[:number], _bent(row, path, how), *estate.rows[number + 1 :]]
        inventory = estate.inventory(rows)
        after = _judged(inventory)
        wrong += [f"{label}: {f.check}: {f.message}" for f in after.values() if f.reason == "check-error"]
        if how != "wrong type":
            wrong += [f"{label}: {problem}" for problem in _absent(before, after, row, path)]
        elif inventory.malformed:
            lost = frozenset(inventory.malformed)
            kinds = frozenset(bad.type for bad in inventory.malformed.values())
            wrong += [f"{label}: {problem}" for problem in _problems(before, after, lost, kinds)]
    return wrong


@pytest.mark.parametrize("name", ESTATES)
def test_a_property_that_is_not_there_turns_nothing_green(name: str) -> None:
    assert _sick_properties(name, every=40) == []


@pytest.mark.long
@pytest.mark.parametrize("name", ESTATES)
def test_no_property_that_is_not_there_turns_anything_green(name: str) -> None:
    assert _sick_properties(name, every=1) == []


# ---------------------------------------------------------------- the estates themselves


def test_each_check_passes_on_some_healthy_estate() -> None:
    """Else the tests above take nothing away from it: extend tests/healthy.py along with a new check."""
    passing = {key[0] for name in HEALTHY for key, finding in _whole(name).items() if finding.outcome == "pass"}
    assert {check.id for check in catalogue()} - passing == set(NEVER_PASSES)


def test_each_meaning_of_an_absence_is_of_a_property_that_is_there() -> None:
    there = {
        (str(row["type"]).casefold(), _spelled(path))
        for name in ESTATES
        for row in _made(name).rows
        for path in _paths(row)
    }
    unused = [
        (kind, path)
        for kind, path in ABSENCE_MEANS
        if not any(fnmatchcase(k, kind) and fnmatchcase(p, path) for k, p in there)
    ]
    assert unused == []
