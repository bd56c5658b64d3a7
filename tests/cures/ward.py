"""Estates of the checks' own tests, served by a replica that takes writes, and scanned over the wire."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from auditor.collect import Clock
from auditor.config import Settings
from auditor.findings import Finding
from auditor.replica import Replica
from auditor.replica.estate import Estate, from_document
from auditor.scan import scan
from tests.estate import ACR_PULL, NOW, SUB, TENANT, Body, Thing, rows

APPLICATION = {
    "appId": "a9900000-0000-4000-8000-000000000009",
    "objectId": "0b300000-0000-4000-8000-000000000009",
    "secret": "not-a-secret",
    "displayName": "auditor",
    "reads": ["/"],
    "graph": True,
}
DEPLOYERS = ("77777777-0000-4000-8000-000000000001",)
"""Whom the estates of `rbac-deployer-subnet-join` call Ada."""
_ACR_PULL_ROLE: Body = {
    "id": f"/subscriptions/{SUB}/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}",
    "type": "Microsoft.Authorization/roleDefinitions",
    "name": ACR_PULL,
    "properties": {
        "roleName": "AcrPull",
        "type": "BuiltInRole",
        "assignableScopes": ["/"],
        "permissions": [{"actions": ["Microsoft.ContainerRegistry/registries/pull/read"], "notActions": []}],
    },
}
"""The CLI looks this one up by its name."""
_COLLECTIONS = {
    "microsoft.network/networksecuritygroups": {"securityRules": "securityRules"},
    "microsoft.network/routetables": {"routes": "routes"},
    "microsoft.network/virtualnetworks": {"virtualNetworkPeerings": "virtualNetworkPeerings"},
}


def estate_of(*things: Thing | Iterable[Thing]) -> Estate:
    """The replica's estate of builders' things. What could not be read there cannot be read here."""
    bodies, gaps = rows(*things)
    assert not gaps, "a cure is shown on what was read"
    document: dict[str, Any] = {
        "clock": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        "tenant": {"id": TENANT, "name": "Ward"},
        "applications": [APPLICATION],
        "resources": [],
        "servicePrincipals": [],
    }
    groups: dict[str, list[str]] = {}
    chains: dict[str, list[str]] = {}
    for row in bodies:
        kind = row["type"].lower()
        if kind == "auditor/principal":
            entry = {"appId": row["appId"], "objectId": row["objectId"], "displayName": "app"}
            document["servicePrincipals"].append(entry)
        elif kind == "auditor/membership":
            if "groupId" in row:
                groups.setdefault(row["groupId"], []).append(row["memberId"])
        elif kind == "microsoft.network/servicetags":
            document["serviceTags"] = row["properties"]
        elif kind == "microsoft.resources/subscriptions":
            chain = [one["name"] for one in row["properties"].get("managementGroupAncestorsChain", [])]
            chains[row["id"].split("/")[2]] = chain
        else:
            document["resources"].append(_as_arm_answers(row))
    document["resources"] += _made_by_azure(document["resources"])
    if not any(one["name"] == ACR_PULL for one in document["resources"]):
        document["resources"].append(_ACR_PULL_ROLE)
    subscriptions = {
        one["id"].split("/")[2] for one in document["resources"] if one["id"].startswith("/subscriptions/")
    }
    management: dict[str, Body] = {}
    for chain in chains.values():
        for name, parent in zip(chain, [*chain[1:], None], strict=True):
            management[name] = {"id": name, "displayName": name, "parent": parent}
    document["managementGroups"] = list(management.values())
    document["subscriptions"] = [
        {"id": one, "name": "sub", "managementGroup": next(iter(chains.get(one, [])), None)}
        for one in sorted(subscriptions | set(chains))
    ]
    document["groups"] = [{"id": key, "displayName": "g", "members": who} for key, who in groups.items()]
    return from_document(document)


def _made_by_azure(resources: list[Body]) -> list[Body]:
    """What the builders leave out and every real estate has: zones that clusters name, records of zone groups."""
    held = {one["id"].lower(): one for one in resources}
    made: dict[str, Body] = {}
    for one in resources:
        kind = one["type"].lower()
        zone = ((one.get("properties") or {}).get("apiServerAccessProfile") or {}).get("privateDNSZone") or ""
        if zone.startswith("/") and zone.lower() not in held:
            made[zone] = {
                "id": zone, "type": "Microsoft.Network/privateDnsZones", "name": zone.rsplit("/", 1)[1],
                "location": "global", "properties": {},
            }  # fmt: skip
        if kind != "microsoft.network/privateendpoints/privatednszonegroups":
            continue
        endpoint = held[one["id"].lower().rsplit("/privatednszonegroups/", 1)[0]]["properties"]
        target = endpoint["privateLinkServiceConnections"][0]["properties"]["privateLinkServiceId"].rsplit("/", 1)[1]
        address = endpoint["customDnsConfigs"][0]["ipAddresses"][0]
        for config in one["properties"]["privateDnsZoneConfigs"]:
            record = f"{config['properties']['privateDnsZoneId']}/A/{target}"
            if record.lower() not in held:
                made[record] = {
                    "id": record, "type": "Microsoft.Network/privateDnsZones/A", "name": target,
                    "properties": {"ttl": 10, "aRecords": [{"ipv4Address": address}]},
                }  # fmt: skip
    return list(made.values())


def _as_arm_answers(row: Body) -> Body:
    """The row with ids on the children inside it, which the builders leave out."""
    row = copy.deepcopy(row)
    if row["type"].lower() == "microsoft.storage/storageaccounts":
        # Every account shows its encryption, and the CLI looks for it.
        row["properties"].setdefault("encryption", {"keySource": "Microsoft.Storage"})
    for where, collection in _COLLECTIONS.get(row["type"].lower(), {}).items():
        for child in row["properties"].get(where) or ():
            child.setdefault("id", f"{row['id']}/{collection}/{child['name'].replace('/', '-')}")
    return row


def findings(replica: Replica, check: str) -> dict[str, Finding]:
    """What one check finds in all subscriptions of the replica, by finding id: a live scan over TLS."""
    chosen = Settings(
        subscription=tuple(one.id for one in replica.estate.subscriptions),
        check=(check,),
        no_history=True,
        baseline="none",
        deployers=DEPLOYERS,
    )
    waiting = Clock(now=lambda: NOW, monotonic=_Still().monotonic, sleep=lambda _: None)
    environment: Mapping[str, str] = replica.environment()
    report = scan(chosen, environment=environment, clock=lambda: NOW, waiting=waiting).report
    return {finding.id: finding for finding in report.findings}


class _Still:
    """Time that only moves when it is looked at."""

    def __init__(self) -> None:
        self._now = 1000.0

    def monotonic(self) -> float:
        self._now += 0.001
        return self._now
