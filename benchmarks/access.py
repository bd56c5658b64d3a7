"""How the semantics of rights grow: twice the assignments, twice the principals, twice the clusters, in one run.

`python benchmarks/access.py` prints each time in milliseconds and its ratio to the run before. Building is linear in
the assignments; a question costs what lies above its scope, so its time must not follow the size of the tenant.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from auditor.access import (
    ALL_READ,
    AccessModel,
    Hierarchy,
    Membership,
    Principal,
    RoleAssignment,
    Scope,
    decide,
    grants_role,
)
from auditor.access.needed import ON_SUBNET
from auditor.access.roles import NETWORK_CONTRIBUTOR, READER
from auditor.values import Unread

NOW = datetime(2026, 9, 1, tzinfo=UTC)
SUBSCRIPTIONS = 20
NO_GRAPH = Unread("groups", "Microsoft Graph was not permitted", "", "group-membership")


def subscription(number: int) -> str:
    """One of the tenant's subscriptions."""
    return f"/subscriptions/00000000-0000-4000-8000-{number % SUBSCRIPTIONS:012}"


def rows(principals: int, each: int) -> list[RoleAssignment]:
    """So many principals with so many assignments each; every tenth is a group with a role on a subscription."""
    found = []
    for who in range(principals):
        group = who % 10 == 0
        for number in range(each):
            place = subscription(who)
            role = NETWORK_CONTRIBUTOR if number == 0 and not group else READER
            scope = place if group else f"{place}/resourceGroups/net{who}-{number}"
            found.append(
                RoleAssignment(
                    id=f"{scope}/providers/Microsoft.Authorization/roleAssignments/{who}-{number}",
                    scope=Scope.parse(scope),
                    role_definition_id=f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
                    principal_id=f"p{who}",
                    principal_type="Group" if group else "ServicePrincipal",
                )
            )
    return found


def build(assignments: list[RoleAssignment]) -> AccessModel:
    """A model of a tenant of twenty subscriptions without Microsoft Graph."""
    above = {subscription(number): ["landing-zones", "tenant"] for number in range(SUBSCRIPTIONS)}
    return AccessModel.of(
        assignments=assignments,
        hierarchy=Hierarchy.of(above),
        membership=Membership.of(missing=NO_GRAPH),
        coverage=ALL_READ,
        deny_coverage=ALL_READ,
    )


def ask(model: AccessModel, clusters: int) -> int:
    """The two questions about a cluster, the half of them lacking; the number of grants."""
    granted = 0
    for who in range(clusters):
        group = Scope.parse(f"{subscription(who)}/resourceGroups/net{who}-{who % 2}")
        subnet = Scope.parse(f"{group}/providers/Microsoft.Network/virtualNetworks/v/subnets/s")
        principal = Principal(f"p{who}")
        granted += len(decide(model, principal, ON_SUBNET, subnet, at=NOW).granted)
        granted += len(grants_role(model, principal, NETWORK_CONTRIBUTOR, group, at=NOW).granted)
    return granted


def timed(action: Callable[[], object]) -> float:
    """Milliseconds of processor time, the best of three, without the garbage collector's pauses."""
    gc.disable()
    best = float("inf")
    for _ in range(3):
        gc.collect()
        start = time.process_time()
        action()
        best = min(best, time.process_time() - start)
    gc.enable()
    return best * 1_000


def series(title: str, measures: list[tuple[str, float]]) -> None:
    """Prints each measure and its ratio to the one before."""
    print(title)
    before = None
    for name, milliseconds in measures:
        ratio = f"  x{milliseconds / before:.2f}" if before else ""
        print(f"  {name:>24}  {milliseconds:9.1f} ms{ratio}")
        before = milliseconds


def main() -> None:
    """All the ratios."""
    sizes = (5_000, 10_000, 20_000)
    built = {each: rows(each, 4) for each in sizes}
    series("build: twice the principals", [(f"{4 * n} assignments", timed(partial(build, built[n]))) for n in sizes])
    models = {each: build(built[each]) for each in sizes}
    series("ask: twice the principals", [(f"{n} principals", timed(partial(ask, models[n], 1_000))) for n in sizes])
    wide = {each: build(rows(2_000, each)) for each in (4, 8, 16)}
    series(
        "ask: twice the assignments",
        [(f"{2_000 * n} assignments", timed(partial(ask, wide[n], 1_000))) for n in wide],
    )
    series(
        "ask: twice the clusters",
        [(f"{n} clusters", timed(partial(ask, models[5_000], n))) for n in (1_000, 2_000, 4_000)],
    )


if __name__ == "__main__":
    main()
