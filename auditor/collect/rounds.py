"""Following references: each round asks, in one query a table, for what is named so far and for what names it."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from auditor.collect import queries
from auditor.collect.arm import API_VERSIONS, list_all
from auditor.collect.failures import Failure
from auditor.collect.graph import Reach
from auditor.collect.queries import Query
from auditor.collect.references import Row, Wanted, type_of, v1_subnets
from auditor.collect.scopes import Scopes
from auditor.collect.walk import Walk, scopes_of, subscriptions_in
from auditor.values import fold

MOST_ROUNDS = 8
"""Rounds of following references; the shape of the data needs four to five."""

COMPUTES = "microsoft.machinelearningservices/workspaces/computes"
CLUSTERS = "microsoft.containerservice/managedclusters"
NETWORKS = "microsoft.network/virtualnetworks"
RECORDS = "microsoft.network/privatednszones/a"
REPLICATIONS = "microsoft.containerregistry/registries/replications"
_OPTIONAL_TABLES = ("networkresources", "dnsresources")
"""They decide findings, not whether a resource exists."""


class Rounds:
    """What was asked for already, so that nothing is asked for twice."""

    def __init__(self, walk: Walk, scopes: Scopes, wanted: Wanted) -> None:
        self._walk, self._scopes, self._wanted = walk, scopes, wanted
        self._asked: dict[str, set[str]] = {}

    def follow(self, start: Iterable[Row]) -> None:
        """Ask for what the rows refer to until nothing new is; what nobody answers for becomes a gap."""
        walk, wanted = self._walk, self._wanted
        wanted.take(start)
        wanted.take(walk.rows_of(COMPUTES))
        wanted.want(walk.request.registries)
        for _ in range(MOST_ROUNDS):
            walk.stopped()
            for subnet in v1_subnets(walk.rows_of(COMPUTES), walk.rows_of(CLUSTERS)):
                wanted.add_subnet(subnet)
            batch = self._batch()
            if not batch:
                break
            for rows in walk.together([functools.partial(self._ask, query, reach) for query, reach in batch]):
                self._take(rows)
            for network in walk.rows_of(NETWORKS):
                wanted.walk_network(network)
        self._outside()

    def _take(self, rows: Iterable[Row]) -> None:
        kept = self._walk.keep(rows)
        self._wanted.take(kept)
        for row in kept:
            if type_of(row) == REPLICATIONS:
                self._wanted.replication(str(row["id"]).rsplit("/", 2)[0], str(row.get("location") or ""))

    def _batch(self) -> list[tuple[Query, Reach]]:
        """The queries of the next round, each with where to ask: one over `resources`, as the round's size allows."""
        wanted, fresh = self._wanted, self._fresh
        ids = fresh("ids", {key: value for key, value in wanted.ids.items() if not self._walk.has(value)})
        registries, groups = fresh("registries", wanted.registries), fresh("node-groups", wanted.node_groups)
        networks, footprint = fresh("networks", wanted.linked), fresh("footprint", wanted.footprint)
        firewalls = fresh("firewalls", wanted.firewall_subnets)
        conditions = [
            *queries.by_id(ids),
            *queries.node_groups(groups),
            *queries.balancers_of(fresh("clusters", wanted.clusters)),
            *queries.endpoints_to(fresh("targets", wanted.targets)),
            *queries.replications_of(registries),
            *queries.zone_links_to(networks),
            *queries.firewalls_in(firewalls),
        ]
        # A hub's subscription holds the zones and firewalls of its spokes, whether it was asked for or not.
        named = set(subscriptions_in([*ids, *registries, *networks, *firewalls]))
        named |= {group.split("/", 1)[0] for group in groups}
        reaches = self._scopes.reaches_with(named)
        batch = [(each, reach) for each in queries.resources_where(conditions) for reach in reaches]
        batch += [(each, reach) for each in queries.admin_rules(footprint) for reach in self._scopes.reaches]
        return batch or self._records()

    def _records(self) -> list[tuple[Query, Reach]]:
        """The names that matter are known only when all else is read; a central zone is asked once."""
        zones = self._fresh("zones", self._wanted.zones)
        names = self._wanted.names_in_zones()
        if not names:
            return []
        where = Reach(tuple(subscriptions_in(zones)))
        return [(each, where) for each in queries.address_records(zones, names)]

    def _fresh(self, kind: str, found: dict[str, str]) -> list[str]:
        """What was not asked for yet; it counts as asked from now on."""
        known = self._asked.setdefault(kind, set())
        new = [value for key, value in sorted(found.items()) if key not in known]
        known.update(found)
        return new

    def _ask(self, query: Query, reach: Reach) -> list[Row]:
        rows, wrong = self._walk.read_apart(query, reach)
        if query.table == "dnsresources" and any(failure.reason == "refused" for _, failure in wrong):
            self._walk.note("dnsresources was not read; ARM was asked instead")
            return [record for zone in self._wanted.zones.values() for record in self._records_by_arm(zone)]
        for part, failure in wrong:
            for scope in scopes_of(part):
                required = query.table not in _OPTIONAL_TABLES
                self._walk.gaps.add(scope, query.what, failure, required=required, operation="*/read")
        return rows

    def _records_by_arm(self, zone: str) -> list[Row]:
        """The wanted A records of a zone, where the table of records does not exist."""
        url = f"{zone}/A?api-version={API_VERSIONS['privateDnsZones']}"
        try:
            rows = list_all(self._walk.wire, url, "ARM/privateDnsZones/A", self._walk.stopped)
        except Failure as failure:
            operation = "Microsoft.Network/privateDnsZones/A/read"
            self._walk.gaps.add(zone, RECORDS, failure, required=False, operation=operation)
            return []
        names = set(self._wanted.names_in_zones())
        return [row for row in rows if str(row.get("name") or "").casefold() in names]

    def _outside(self) -> None:
        """Subscriptions that references lead to: their management groups, and which of them nobody answers for."""
        named = {fold(each) for each in subscriptions_in(self._wanted.ids.values())}
        self._scopes.read_subscriptions(named)
        for each in sorted(named - set(self._scopes.chains)):
            unseen = Failure("not-visible", "the estate refers to it, and the signed-in identity does not see it")
            self._walk.gaps.add(f"/subscriptions/{each}", "*", unseen, required=False)
