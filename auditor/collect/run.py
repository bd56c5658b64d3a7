"""One collection from sign-in to rows: the rounds in which references are followed outward from the estate.

Round one asks for the estate itself; the computes of each workspace come from ARM, since Resource Graph does not index
them; every further round asks, in one query each, for what the rows so far name and for what names them. Rights come
last: which principals and scopes matter is known only then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditor.collect.governor import Governor
from auditor.collect.request import Clock, Collected, CollectRequest, ScopeState
from auditor.errors import NothingRead
from auditor.values import Gap, Progress, fold, silent

if TYPE_CHECKING:
    from auditor.collect.references import Row
    from auditor.collect.walk import Walk

MOST_ASKED_FOR_RIGHTS = 500
"""Subscriptions up to which each is asked what we may read in it."""
MOST_ROUNDS = 8
"""Rounds of following references; the shape of the data needs four to five."""


def _never() -> bool:
    return False


def collect(
    request: CollectRequest,
    *,
    progress: Progress = silent,
    clock: Clock = Clock(),  # noqa: B008 - frozen, and nothing but three functions
    stop: Callable[[], bool] = _never,
) -> Collected:
    """Read what the inference estate in the requested scopes needs to be judged.

    Sends GETs and queries only. Raises NothingRead (exit 4) if nothing at all could be read, with one line that says
    which of the known causes it is, and Stopped when `stop()` turned true between two pages. Everything else that could
    not be read is a gap.
    """
    from concurrent.futures import ThreadPoolExecutor

    from auditor.collect.walk import Walk
    from auditor.collect.wire import Wire, credential_for

    started = clock.monotonic()
    deadline = None if request.deadline_s is None else started + request.deadline_s
    governor = Governor(clock, max_rps=request.max_rps, deadline=deadline)
    taken_at = clock.now()
    credential = credential_for(request.cloud, request.environment, request.tenant)
    wire = Wire(request.cloud, credential, governor, request.threads)
    pool = ThreadPoolExecutor(max_workers=request.threads, thread_name_prefix="collect")
    try:
        tenant = sign_in(wire, request)
        walk = Walk(request, wire, progress=progress, stop=stop, pool=pool)
        scopes = _Scan(walk, taken_at).run()
        return Collected(
            rows=walk.rows(),
            scopes=scopes,
            gaps=walk.gaps.all(),
            requests=governor.requests(),
            taken_at=taken_at,
            cloud=request.cloud.name,
            tenant_id=tenant,
            log=governor.log(),
            notes=tuple(walk.notes),
            waited_s=governor.waited_s,
        )
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        wire.close()


def sign_in(wire: Any, request: CollectRequest) -> str | None:
    """Fetch the first token; the tenant's id. NothingRead that names what is wrong."""
    from auditor.collect.failures import describe, sign_in_problem
    from auditor.collect.wire import WIRE_ERRORS

    asked = request.tenant or request.environment.get("AZURE_TENANT_ID")
    try:
        return wire.sign_in() or asked
    except WIRE_ERRORS as error:
        line, hint = sign_in_problem(describe(error), request.cloud, asked)
        raise NothingRead(line, hint=hint) from error


class _Scan:
    """The order of one collection's steps."""

    def __init__(self, walk: Walk, taken_at: datetime) -> None:
        from auditor.collect.references import Wanted

        self._walk, self._request = walk, walk.request
        self._taken_at = taken_at
        self._wanted = Wanted()
        self._asked: dict[str, set[str]] = {}
        self._unread: set[str] = set()
        """Folded scopes that could not be read at all."""
        self._visible: dict[str, list[str]] = {}
        """Subscription → names of its management groups, nearest first."""

    def run(self) -> tuple[ScopeState, ...]:
        """Read everything; the requested scopes and whether they were read."""
        from auditor.collect import authorization, rights, surroundings

        walk = self._walk
        walk.stage("estate")
        self._estate()
        scopes = self._scopes()
        walk.stage("computes and rights")
        calls: list[Callable[[], None]] = [*surroundings.computes(walk), *surroundings.missing_extensions(walk)]
        calls += [functools.partial(rights.own, walk, each) for each in self._where_rights_matter()]
        walk.together(calls)
        surroundings.old_computes(walk)
        walk.stage("references")
        self._follow()
        walk.stage("role assignments")
        self._subscriptions_of_references()
        calls = rights.assignments(walk, self._wanted, self._visible)
        walk.stage("groups and service tags")
        calls.append(functools.partial(surroundings.service_tags, walk, self._tag_place(), self._taken_at))
        walk.together(calls)
        authorization.read_definitions(walk, sorted(self._visible))
        rights.memberships(walk)
        return self._states(scopes)

    # ------------------------------------------------------------------ round one

    def _reaches(self) -> list[Any]:
        from auditor.collect.graph import EVERYTHING, Reach

        reaches = []
        if self._request.subscription_ids:
            reaches.append(Reach(subscriptions=self._request.subscription_ids))
        if self._request.management_group_names:
            reaches.append(Reach(management_groups=self._request.management_group_names))
        return reaches or [EVERYTHING]

    def _estate(self) -> None:
        from auditor.collect import queries
        from auditor.collect.failures import CONNECTION_REASONS, connection_problem

        asked = [queries.subscriptions(), queries.estate(), queries.extensions()]
        calls = [functools.partial(self._walk.read_apart, query, reach) for query in asked for reach in self._reaches()]
        answers = self._walk.together(calls)
        failures = [failure for _, wrong in answers for _, failure in wrong]
        if failures and not any(rows for rows, _ in answers):
            first = failures[0]
            if first.reason in CONNECTION_REASONS:
                line, hint = connection_problem(first, self._request.cloud.arm_endpoint, self._request.cloud)
                raise NothingRead(line, hint=hint)
        per_query = len(self._reaches())
        for at_query, query in enumerate(asked):
            for rows, wrong in answers[at_query * per_query : (at_query + 1) * per_query]:
                self._take(rows)
                for reach, failure in wrong:
                    self._estate_gap(query, reach, failure)
        for row in self._walk.rows_of("microsoft.resources/subscriptions"):
            self._see(row)

    def _estate_gap(self, query: Any, reach: Any, failure: Any) -> None:
        from auditor.collect.walk import scopes_of

        if query.table == "kubernetesconfigurationresources" and failure.reason == "refused":
            # The table does not exist in this cloud: each cluster is asked by ARM instead.
            self._walk.note(f"{query.table} was not read ({failure.text}); ARM was asked instead")
            self._walk.extensions_by_arm = True
            return
        for scope in scopes_of(reach):
            what = "*" if query.table == "resources" else query.table
            self._walk.gaps.add(scope, what, failure, required=True, operation="*/read")
            if what == "*":
                self._unread.add(fold(scope))

    def _see(self, row: Row) -> None:
        from auditor.collect.references import at

        name = fold(str(row["id"])).rsplit("/", 1)[-1]
        self._visible[name] = [str(n) for n in at(row, "properties.managementGroupAncestorsChain[].name")]

    # ------------------------------------------------------------------ scopes

    def _scopes(self) -> list[str]:
        """ARM ids of what was asked for; NothingRead if none of it can be seen."""
        from auditor.collect import surroundings
        from auditor.collect.failures import Failure

        wanted = [f"/subscriptions/{each}" for each in self._request.subscription_ids]
        for scope in wanted:
            if scope.rsplit("/", 1)[-1] not in self._visible:
                self._not_visible(scope, Failure("not-visible", "the signed-in identity sees no such subscription"))
        for name in self._request.management_group_names:
            scope = f"/providers/Microsoft.Management/managementGroups/{name}"
            wanted.append(scope)
            if fold(scope) not in self._unread:
                for hidden in surroundings.hidden_subscriptions(self._walk, name, set(self._visible)):
                    below = f"/subscriptions/{hidden}"
                    wanted.append(below)
                    self._not_visible(
                        below,
                        Failure("not-visible", f"it lies below {name}, and the signed-in identity does not see it"),
                    )
        if not self._request.subscription_ids and not self._request.management_group_names:
            wanted = [f"/subscriptions/{each}" for each in sorted(self._visible)]
        if not self._visible:
            self._nothing(wanted)
        return wanted

    def _not_visible(self, scope: str, failure: Any) -> None:
        self._unread.add(fold(scope))
        self._walk.gaps.add(scope, "*", failure, required=True)

    def _nothing(self, wanted: Sequence[str]) -> None:
        gaps: Iterable[Gap] = self._walk.gaps.all()
        said = next((gap.reason for gap in gaps if not gap.reason.startswith("not-visible")), "")
        named = ", ".join(wanted[:3]) + (" …" if len(wanted) > 3 else "")
        if said:
            raise NothingRead(f"nothing could be read: {said}", hint=f"scopes asked for: {named or 'all'}")
        raise NothingRead(
            f"nothing could be read: the signed-in identity sees none of {named}"
            if named
            else "nothing could be read: the signed-in identity sees no subscription",
            hint=f"grant Reader on {wanted[0] if wanted else 'a subscription or management group'}",
        )

    def _states(self, scopes: Sequence[str]) -> tuple[ScopeState, ...]:
        return tuple(ScopeState(scope, fold(scope) not in self._unread) for scope in dict.fromkeys(scopes))

    def _where_rights_matter(self) -> list[str]:
        """Subscriptions whose silence could be a lack of rights: those of the estate, and those asked for.

        Where a management group was asked for and our rights there reach everything below, that is enough.
        """
        from auditor.collect import rights
        from auditor.collect.walk import subscriptions_in

        rows = self._walk.rows()
        estate = {
            each
            for each in subscriptions_in(row["id"] for row in rows)
            if any(fold(row["id"]).startswith(f"/subscriptions/{each}/") for row in rows)
        }
        asked = set(self._request.subscription_ids) & set(self._visible)
        groups = self._request.management_group_names
        if groups and not all(rights.covers_all(self._walk, group) for group in groups):
            asked = set(self._visible)
        if not groups and not self._request.subscription_ids:
            asked = set(self._visible)
        if len(asked) > MOST_ASKED_FOR_RIGHTS:
            self._walk.note(
                f"own rights were asked for in the {len(estate)} subscriptions of the estate, not in all {len(asked)}"
            )
            asked = set()
        return sorted(estate | asked)

    # ------------------------------------------------------------------ rounds

    def _take(self, rows: Iterable[Any]) -> list[Row]:
        kept = self._walk.keep(rows)
        self._wanted.take(kept)
        return kept

    def _follow(self) -> None:
        """Ask for what is named until nothing new is."""
        from auditor.collect.references import v1_subnets

        walk, wanted = self._walk, self._wanted
        wanted.take(walk.rows_of("microsoft.machinelearningservices/workspaces/computes"))
        wanted.want(self._request.registries)
        for _ in range(MOST_ROUNDS):
            walk.stopped()
            for subnet in v1_subnets(
                walk.rows_of("microsoft.machinelearningservices/workspaces/computes"),
                walk.rows_of("microsoft.containerservice/managedclusters"),
            ):
                wanted.add_subnet(subnet)
            batch = self._batch()
            if not batch:
                return
            for rows in walk.together([functools.partial(self._ask, query, reach) for query, reach in batch]):
                for row in self._take(rows):
                    if fold(str(row.get("type"))) == "microsoft.containerregistry/registries/replications":
                        wanted.replication(str(row["id"]).rsplit("/", 2)[0], str(row.get("location") or ""))
            for network in walk.rows_of("microsoft.network/virtualnetworks"):
                wanted.walk_network(network)

    def _batch(self) -> list[tuple[Any, Any]]:
        """The queries of the next round, each with where to ask: one over `resources`, as the round's size allows."""
        from auditor.collect import queries
        from auditor.collect.graph import Reach
        from auditor.collect.walk import subscriptions_in

        wanted = self._wanted
        fresh = self._fresh
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
        reaches = self._reaches_with(named)
        batch = [(each, reach) for each in queries.resources_where(conditions) for reach in reaches]
        batch += [(each, reach) for each in queries.admin_rules(footprint) for reach in self._reaches()]
        if not batch:
            # The names that matter are known only now; a central zone is asked once.
            zones = fresh("zones", wanted.zones)
            if wanted.record_names:
                where = Reach(tuple(subscriptions_in(zones)))
                batch += [(each, where) for each in queries.address_records(zones, wanted.record_names)]
        return batch

    def _reaches_with(self, named: set[str]) -> list[Any]:
        """The scopes, and the subscriptions named that lie outside of them (a hub's)."""
        from auditor.collect.graph import EVERYTHING, Reach

        reaches = self._reaches()
        if reaches == [EVERYTHING]:
            return reaches
        if len(reaches) == 1 and reaches[0].subscriptions:
            return [Reach(subscriptions=tuple(sorted({*reaches[0].subscriptions, *named})))]
        outside = named - set(self._visible)
        return [*reaches, Reach(subscriptions=tuple(sorted(outside)))] if outside else reaches

    def _fresh(self, kind: str, found: dict[str, str]) -> list[str]:
        """What was not asked for yet; it counts as asked from now on."""
        known = self._asked.setdefault(kind, set())
        new = [value for key, value in sorted(found.items()) if key not in known]
        known.update(key for key in found)
        return new

    def _ask(self, query: Any, reach: Any) -> list[Row]:
        from auditor.collect.walk import scopes_of

        rows, wrong = self._walk.read_apart(query, reach)
        for part, failure in wrong:
            for scope in scopes_of(part):
                # Optional tables decide findings, not whether a resource exists.
                optional = query.table in ("networkresources", "dnsresources")
                self._walk.gaps.add(scope, query.what, failure, required=not optional, operation="*/read")
        return rows

    def _subscriptions_of_references(self) -> None:
        """The chains of management groups of subscriptions outside the scopes, and which of them nobody answers for."""
        from auditor.collect import queries
        from auditor.collect.failures import Failure
        from auditor.collect.graph import Reach
        from auditor.collect.walk import subscriptions_in

        outside = [each for each in subscriptions_in(self._wanted.ids.values()) if each not in self._visible]
        if not outside:
            return
        rows = self._ask(queries.subscriptions(), Reach(tuple(outside)))
        for row in self._walk.keep(rows):
            self._see(row)
        for each in outside:
            if each not in self._visible:
                self._walk.gaps.add(
                    f"/subscriptions/{each}",
                    "*",
                    Failure("not-visible", "the estate refers to it, and the signed-in identity does not see it"),
                    required=False,
                )

    def _tag_place(self) -> tuple[str, str] | None:
        """(subscription, location) from where service tags are asked: of the first cluster, else of anything."""
        from auditor.collect.walk import subscriptions_in

        for kinds in (
            ("microsoft.containerservice/managedclusters",),
            ("microsoft.machinelearningservices/workspaces", "microsoft.containerinstance/containergroups"),
        ):
            for row in self._walk.rows_of(*kinds):
                if row.get("location"):
                    return subscriptions_in([row["id"]])[0], str(row["location"])
        return None
