"""What Azure may spell in two ways is judged in one: the verdicts of all checks do not move.

Each twist rewrites the rows of an estate into others that mean the same. Compared are outcome, reasons and effect of
every finding, whatever casing its resource has.
"""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from auditor.evaluate import evaluate
from tests.estate import SUB, Body, catalogue, terms
from tests.healthy import ESTATES, Estate

Rows = list[Body]
Said = dict[tuple[str, str, str], tuple[str, str, tuple[str, ...], tuple[str, ...]]]


def _said(estate: Estate, rows: Rows) -> Said:
    inventory = estate.inventory(rows)
    assert not inventory.malformed
    return {
        (f.check, f.resource.id.casefold(), (f.part or "").casefold()): (
            str(f.outcome),
            f.reason,
            f.reasons,
            tuple(item.casefold() for item in f.effect.items) if f.effect else (),
        )
        for f in evaluate(inventory, catalogue(), terms())
    }


@cache
def _made(name: str) -> Estate:
    return ESTATES[name]()


@cache
def _before(name: str) -> Said:
    return _said(_made(name), _made(name).bodies())


def _each_text(value: Any, twist: Callable[[str], str]) -> Any:
    """The same value with each text in it twisted; keys too, where they are ids."""
    if isinstance(value, dict):
        return {(twist(key) if key.startswith("/") else key): _each_text(inner, twist) for key, inner in value.items()}
    if isinstance(value, list):
        return [_each_text(inner, twist) for inner in value]
    return twist(value) if isinstance(value, str) else value


# ---------------------------------------------------------------- spelling


def ids_in_capitals(rows: Rows) -> Rows:
    """Each id, wherever it stands, in capitals."""
    return [_each_text(row, lambda text: text.upper() if text.startswith("/sub") else text) for row in rows]


def ids_of_rows_in_capitals(rows: Rows) -> Rows:
    """The rows' own ids in capitals, while references keep theirs."""
    return [{**row, "id": row["id"].upper()} if row.get("id") else row for row in rows]


def resourcegroups_in_small_letters(rows: Rows) -> Rows:
    """`resourcegroups`, as many writers spell it, in every other row."""
    odd = [_each_text(row, lambda text: text.replace("/resourceGroups/", "/resourcegroups/")) for row in rows[::2]]
    return [each for pair in zip(odd, [*rows[1::2], None], strict=False) for each in pair if each is not None]


def types_in_capitals(rows: Rows) -> Rows:
    """ARM's casing of types, and worse."""
    return [{**row, "type": row["type"].upper()} if row.get("id") else row for row in rows]


def regions_by_display_name(rows: Rows) -> Rows:
    """`East US 2` for `eastus2`."""
    return [{**row, "location": "East US 2"} if row.get("location") == "eastus2" else row for row in rows]


def tags_in_small_letters(rows: Rows) -> Rows:
    """Service tags in rules, without capitals."""
    return [_each_rule(row, lambda rule: _with_prefixes(rule, str.casefold)) for row in rows]


# ---------------------------------------------------------------- order and place


def rows_backwards(rows: Rows) -> Rows:
    """The last row first."""
    return rows[::-1]


def rows_shuffled(rows: Rows) -> Rows:
    """In an order that is always the same."""
    mixed = list(rows)
    random.Random(7).shuffle(mixed)
    return mixed


def rows_twice(rows: Rows) -> Rows:
    """Pages that overlap."""
    return [*rows, *rows]


CHILDREN = {
    "microsoft.network/virtualnetworks": {"subnets": "subnets", "virtualNetworkPeerings": "virtualNetworkPeerings"},
    "microsoft.network/networksecuritygroups": {"securityRules": "securityRules"},
    "microsoft.network/routetables": {"routes": "routes"},
}


def children_alone(rows: Rows) -> Rows:
    """Subnets, peerings, rules and routes as rows of their own; their parents' bodies do not hold them."""
    out: Rows = []
    for row in rows:
        words = CHILDREN.get(row["type"].casefold(), {})
        properties = dict(row.get("properties") or {})
        for key, segment in words.items():
            for child in properties.pop(key, None) or ():
                out.append(
                    {
                        "id": child.get("id") or f"{row['id']}/{segment}/{child['name']}",
                        "type": f"{row['type']}/{segment}".lower(),
                        "name": child["name"],
                        "properties": child["properties"],
                    }
                )
        out.append({**row, "properties": properties} if words else row)
    return out


def children_alone_and_nested(rows: Rows) -> Rows:
    """Both spellings at once, as a snapshot of both sources has them."""
    alone = [row for row in children_alone(rows) if row["type"].count("/") == 2]
    return [*rows, *(row for row in alone if row["type"].rsplit("/", 1)[0] in CHILDREN)]


# ---------------------------------------------------------------- addresses and rules


def _halves(prefix: str) -> list[str]:
    """A prefix as its two halves, the upper one first; what is no prefix stays."""
    try:
        network = ipaddress.ip_network(prefix, strict=False)
    except ValueError:
        return [prefix]
    if "/" not in prefix or network.prefixlen == network.max_prefixlen or network.prefixlen < 8:
        return [prefix]
    return [str(half) for half in network.subnets()][::-1]


def address_spaces_split(rows: Rows) -> Rows:
    """The address spaces of networks and the prefixes of service tags by halves."""
    out = []
    for row in rows:
        kind, properties = row["type"].casefold(), row.get("properties") or {}
        if kind == "microsoft.network/virtualnetworks":
            halves = [half for prefix in properties["addressSpace"]["addressPrefixes"] for half in _halves(prefix)]
            row = {**row, "properties": {**properties, "addressSpace": {"addressPrefixes": halves}}}
        elif kind == "microsoft.network/servicetags":
            values = [
                {
                    **tag,
                    "properties": {
                        "addressPrefixes": [h for p in tag["properties"]["addressPrefixes"] for h in _halves(p)]
                    },
                }
                for tag in properties["values"]
            ]
            row = {**row, "properties": {**properties, "values": values}}
        out.append(row)
    return out


def _each_rule(row: Body, twist: Callable[[Body], Body]) -> Body:
    if row["type"].casefold() != "microsoft.network/networksecuritygroups":
        return row
    rules = [{**rule, "properties": twist(rule["properties"])} for rule in row["properties"]["securityRules"]]
    return {**row, "properties": {**row["properties"], "securityRules": rules}}


def _with_prefixes(rule: Body, twist: Callable[[str], str]) -> Body:
    out = dict(rule)
    for key in ("sourceAddressPrefix", "destinationAddressPrefix"):
        if isinstance(out.get(key), str):
            out[key] = twist(out[key])
        if out.get(f"{key}es"):
            out[f"{key}es"] = [twist(each) for each in out[f"{key}es"]]
    return out


def _plural(rule: Body) -> Body:
    out = dict(rule)
    for key, many in (
        ("sourceAddressPrefix", "sourceAddressPrefixes"),
        ("destinationAddressPrefix", "destinationAddressPrefixes"),
    ):
        if out.get(key, "*") != "*":
            out[many] = _halves(out.pop(key))
    for key, many in (("destinationPortRange", "destinationPortRanges"), ("sourcePortRange", "sourcePortRanges")):
        if out.get(key, "*") != "*":
            out[many] = [out.pop(key)]
    return out


def rules_in_the_plural(rows: Rows) -> Rows:
    """Each rule by its plural properties, literal prefixes by halves."""
    return [_each_rule(row, _plural) for row in rows]


def rules_spelled_otherwise(rows: Rows) -> Rows:
    """Protocol and access in another case, ports `443-443`."""

    def twist(rule: Body) -> Body:
        port = rule.get("destinationPortRange")
        ports = f"{port}-{port}" if re.fullmatch(r"\d+", str(port)) else port
        return {
            **rule,
            "protocol": str(rule["protocol"]).upper(),
            "access": rule["access"].lower(),
            "direction": rule["direction"].upper(),
            "destinationPortRange": ports,
        }

    return [_each_rule(row, twist) for row in rows]


def rules_renumbered(rows: Rows) -> Rows:
    """Other priorities in the same order; the rules listed backwards, and their names in another order."""
    out = []
    for row in rows:
        row = _each_rule(row, lambda rule: {**rule, "priority": rule["priority"] // 2 + 900})
        if row["type"].casefold() == "microsoft.network/networksecuritygroups":
            names = [f"rule-{number:03}" for number, _ in enumerate(row["properties"]["securityRules"])]
            rules = [
                {**rule, "name": name}
                for rule, name in zip(row["properties"]["securityRules"][::-1], names, strict=True)
            ]
            row = {**row, "properties": {**row["properties"], "securityRules": rules}}
        out.append(row)
    return out


def rules_split_by_port(rows: Rows) -> Rows:
    """Each custom rule as two of neighbouring priorities, one a half of its destination ports."""
    out = []
    for row in rows:
        if row["type"].casefold() == "microsoft.network/networksecuritygroups":
            rules: Rows = []
            for rule in row["properties"]["securityRules"]:
                properties = rule["properties"]
                ports = str(properties.get("destinationPortRange"))
                low, high = (0, 65535) if ports == "*" else (int(p) for p in (ports.split("-") * 2)[:2])
                middle = (low + high) // 2
                rules.append({**rule, "properties": {**properties, "destinationPortRange": f"{low}-{middle}"}})
                if middle < high:
                    upper = {"destinationPortRange": f"{middle + 1}-{high}", "priority": properties["priority"] + 1}
                    rules.append({"name": f"{rule['name']}-2", "properties": {**properties, **upper}})
            row = {**row, "properties": {**row["properties"], "securityRules": rules}}
        out.append(row)
    return out


def host_bits(rows: Rows) -> Rows:
    """The ranges of clusters, written by some address inside."""

    def twist(text: str) -> str:
        match = re.fullmatch(r"(\d+\.\d+)\.0\.0/16", text)
        return f"{match[1]}.3.7/16" if match else text

    return [_each_text(row, twist) if row["type"].casefold().endswith("/managedclusters") else row for row in rows]


# ---------------------------------------------------------------- rights


def roles_by_another_path(rows: Rows) -> Rows:
    """Role definition ids without the subscription, in capitals."""

    def twist(text: str) -> str:
        at = text.casefold().find("/providers/microsoft.authorization/roledefinitions/")
        return text[at:].upper() if at >= 0 else text

    return [
        {**row, "properties": _each_text(row["properties"], twist)}
        if row["type"].casefold() == "microsoft.authorization/roleassignments"
        else row
        for row in rows
    ]


TWISTS = {
    twist.__name__: twist
    for twist in (
        ids_in_capitals, ids_of_rows_in_capitals, resourcegroups_in_small_letters, types_in_capitals,
        regions_by_display_name, tags_in_small_letters, rows_backwards, rows_shuffled, rows_twice, children_alone,
        children_alone_and_nested, address_spaces_split, rules_in_the_plural, rules_spelled_otherwise,
        rules_renumbered, rules_split_by_port, host_bits, roles_by_another_path,
    )
}  # fmt: skip


def _moved(before: Said, after: Said) -> list[str]:
    keys = sorted({*before, *after})
    return [
        f"{' of '.join(key)}: {before.get(key)} became {after.get(key)}"
        for key in keys
        if before.get(key) != after.get(key)
    ]


@pytest.mark.parametrize("twist", TWISTS.values(), ids=TWISTS)
@pytest.mark.parametrize("name", ESTATES)
def test_no_verdict_moves(name: str, twist: Callable[[Rows], Rows]) -> None:
    estate = _made(name)
    twisted = twist(estate.bodies())
    assert _moved(_before(name), _said(estate, twisted)) == []


def test_each_twist_changes_some_estate() -> None:
    idle = [
        name for name, twist in TWISTS.items() if all(twist(_made(n).bodies()) == _made(n).bodies() for n in ESTATES)
    ]
    assert idle == []


# ---------------------------------------------------------------- one scope higher


RIGHTS = ("aks-identity-subnet-join-effective", "rbac-deployer-subnet-join", "rbac-acr-pull", "rbac-route-table-rights")


def _one_scope_higher(rows: Rows) -> Rows:
    """Each role assignment at the scope above its own: a resource's group, a group's subscription."""
    out = []
    for row in rows:
        if row["type"].casefold() == "microsoft.authorization/roleassignments":
            scope = row["properties"]["scope"]
            higher = f"/subscriptions/{SUB}"
            if "/providers/" in scope:
                higher = "/".join(scope.split("/")[:5])
            row = {
                **row,
                "id": f"{higher}/providers/Microsoft.Authorization/roleAssignments/{row['name']}",
                "properties": {**row["properties"], "scope": higher},
            }
        out.append(row)
    return out


@pytest.mark.parametrize("name", [name for name in ESTATES if name != "container-groups"])
def test_a_role_one_scope_higher_permits_the_same(name: str) -> None:
    """The letter (`aks-identity-network-contributor-vnet-rg`) and breadth may move, what is permitted may not."""
    estate = _made(name)
    after = _said(estate, _one_scope_higher(estate.bodies()))
    for key, (outcome, *_) in _before(name).items():
        if key[0] in RIGHTS and outcome == "pass":
            assert after[key][0] == "pass", key
