"""What a scan will not be able to read, said before it: credentials, cloud, rights, reachability, tag data, clock."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from auditor.clouds import PROFILES
from auditor.collect.request import Clock, CollectRequest
from auditor.values import fold, silent

if TYPE_CHECKING:
    from auditor.collect.failures import Failure
    from auditor.collect.walk import Walk
    from auditor.collect.wire import Wire

SKEW_WARNS_S, SKEW_FAILS_S = 60, 300
"""Tokens are refused when clocks differ by five minutes."""
TAGS_OLD_DAYS = 30

Verdict = Literal["ok", "warn", "problem"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing examined: `problem` means that a scan will fail or be incomplete, `warn` that findings stay unknown."""

    topic: str
    verdict: Verdict
    text: str
    hint: str = ""


def examine(request: CollectRequest, *, clock: Clock = Clock()) -> list[Diagnosis]:  # noqa: B008 - frozen
    """Try everything that a scan stands on, in the order in which it would fail. Sends GETs and one query only."""
    from concurrent.futures import ThreadPoolExecutor

    from auditor.collect.governor import Governor
    from auditor.collect.walk import Walk
    from auditor.collect.wire import Wire

    deadline = None if request.deadline_s is None else clock.monotonic() + request.deadline_s
    governor = Governor(clock, max_rps=request.max_rps, deadline=deadline)
    wire = Wire(request, governor)
    with ThreadPoolExecutor(max_workers=request.threads) as pool:
        try:
            found = _sign_in(wire, request)
            if found[-1].verdict == "problem":
                return found
            walk = Walk(request, wire, progress=silent, stop=lambda: False, pool=pool, beside=pool)
            reached, subscriptions = _arm(walk)
            found += reached
            if subscriptions is None:
                return found
            found += _clock(governor.server_date, clock)
            found += _query(walk)
            found += _scopes(walk, subscriptions)
            found += _directory(walk)
            found += _tags(walk, subscriptions, clock.now())
            return found
        finally:
            wire.close()


def _sign_in(wire: Wire, request: CollectRequest) -> list[Diagnosis]:
    from auditor.collect.failures import describe, sign_in_problem
    from auditor.collect.wire import WIRE_ERRORS

    asked = request.tenant or request.environment.get("AZURE_TENANT_ID")
    try:
        tenant = wire.sign_in() or asked
    except WIRE_ERRORS as error:
        failure = describe(error)
        line, hint = sign_in_problem(failure, request.cloud, asked)
        found = [Diagnosis("credentials", "problem", line, hint)]
        if failure.reason in ("unknown-tenant", "unknown-application"):
            others = ", ".join(name for name in PROFILES if name not in (request.cloud.name, "custom"))
            text = f"the tenant may belong to another cloud than {request.cloud.title}"
            found.insert(0, Diagnosis("cloud", "warn", text, f"try --cloud {others.replace(', ', ' or --cloud ')}"))
        return found
    return [Diagnosis("credentials", "ok", f"signed in to tenant {tenant or 'unknown'} at {request.cloud.authority}")]


def _arm(walk: Walk) -> tuple[list[Diagnosis], list[dict[str, Any]] | None]:
    from auditor.collect.arm import API_VERSIONS, list_all
    from auditor.collect.failures import CONNECTION_REASONS, Failure, connection_problem

    endpoint, cloud = walk.request.cloud.arm_endpoint, walk.request.cloud
    try:
        url = f"/subscriptions?api-version={API_VERSIONS['subscriptions']}"
        subscriptions = list_all(walk.wire, url, "ARM/subscriptions", walk.stopped)
    except Failure as failure:
        if failure.reason in CONNECTION_REASONS:
            line, hint = connection_problem(failure, endpoint, cloud)
            return [Diagnosis("reachability", "problem", line, hint)], None
        if failure.reason == "unauthorized":
            text = f"{endpoint} refuses the token of {cloud.authority} ({failure.text})"
            hint = "authority and ARM endpoint must belong to one cloud: check --cloud"
            return [Diagnosis("cloud", "problem", text, hint)], None
        text = f"{endpoint} did not list subscriptions: {failure.text}"
        return [Diagnosis("reachability", "problem", text, "scan again later")], None
    return [Diagnosis("reachability", "ok", f"{endpoint} answers, {len(subscriptions)} subscriptions visible")], (
        subscriptions
    )


def _clock(date: str | None, clock: Clock) -> list[Diagnosis]:
    try:
        theirs = parsedate_to_datetime(date) if date else None
    except ValueError:
        theirs = None
    if theirs is None:
        return [Diagnosis("clock", "warn", "the endpoint tells no time, so this machine's clock could not be compared")]
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    skew = (clock.now() - theirs).total_seconds()
    text = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} Azure's"
    if abs(skew) >= SKEW_FAILS_S:
        return [Diagnosis("clock", "problem", text, "set the clock; tokens are refused otherwise")]
    if abs(skew) >= SKEW_WARNS_S:
        return [Diagnosis("clock", "warn", text, "set the clock")]
    return [Diagnosis("clock", "ok", text)]


def _query(walk: Walk) -> list[Diagnosis]:
    """Whether the tables that a scan prefers exist here; where they do not, ARM is asked, at more requests."""
    from auditor.collect import queries
    from auditor.collect.failures import Failure
    from auditor.collect.graph import EVERYTHING

    found: list[Diagnosis] = []
    nothing = "00000000-0000-0000-0000-000000000000"
    probes = (
        (queries.subscriptions(), True),
        (next(iter(queries.role_definitions([nothing]))), False),
        (queries.extensions(), False),
    )
    for query, required in probes:
        try:
            walk.read(query, EVERYTHING)
        except Failure as failure:
            text = f"table {query.table} cannot be queried ({failure.text})"
            hint = "grant Reader on the scopes" if required else "ARM is asked instead; no action needed"
            found.append(Diagnosis("resource graph", "problem" if required else "warn", text, hint))
    return found or [Diagnosis("resource graph", "ok", "the tables that a scan reads can be queried")]


def _scopes(walk: Walk, subscriptions: Sequence[dict[str, Any]]) -> list[Diagnosis]:
    visible = {fold(str(each.get("subscriptionId") or "")) for each in subscriptions}
    request = walk.request
    found: list[Diagnosis] = []
    for group in request.management_group_names:
        found += _group(walk, group, visible)
    named = list(request.subscription_ids)
    if not named and not request.management_group_names:
        named = sorted(visible)
        if not named:
            return [
                Diagnosis("rights", "problem", "no subscription is visible", "grant Reader on what shall be scanned")
            ]
    for subscription in named:
        scope = f"/subscriptions/{subscription}"
        if subscription not in visible:
            found.append(Diagnosis("rights", "problem", f"{scope} is not visible", f"grant Reader on {scope}"))
    checked = [each for each in named if each in visible][:50]
    for lines in walk.together([functools.partial(_rights, walk, f"/subscriptions/{each}") for each in checked]):
        found += lines
    return found


def _group(walk: Walk, group: str, visible: set[str]) -> list[Diagnosis]:
    from auditor.collect.walk import group_scope

    scope, tree = group_scope(group), walk.below(group)
    hidden = sorted((tree.all_subscriptions if tree is not None else set()) - visible)
    gaps = [gap for gap in walk.gaps.all() if fold(gap.scope) == fold(scope)]
    if gaps:
        return [Diagnosis("rights", "problem", f"{scope}: {gaps[0].reason}", gaps[0].hint)]
    if hidden:
        named = ", ".join(hidden[:5]) + (" …" if len(hidden) > 5 else "")
        text = f"{scope}: {len(hidden)} of its subscriptions are not visible ({named})"
        return [Diagnosis("rights", "problem", text, f"grant Reader on {scope}")]
    return [Diagnosis("rights", "ok", f"{scope}: all its subscriptions are visible"), *_rights(walk, scope)]


def _rights(walk: Walk, scope: str) -> list[Diagnosis]:
    from auditor.collect import authorization
    from auditor.collect.permissions import NEEDS

    blocks = authorization.read_permissions(walk, scope)
    if blocks is None:
        text = f"{scope}: one's own permissions could not be read"
        return [Diagnosis("rights", "warn", text, f"grant Reader on {scope}")]
    missing = [need for need in NEEDS if not authorization.granted(blocks, need.operation)]
    missing = [need for need in missing if not need.operation.startswith(_ELSEWHERE)]
    lacking = [need.operation for need in missing if not need.optional]
    if lacking:
        text = f"{scope}: lacks {', '.join(lacking[:4])}" + (
            f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
        )
        return [Diagnosis("rights", "problem", text, f"grant Reader on {scope}, or the role of `auditor permissions`")]
    if missing:
        text = f"{scope}: lacks {', '.join(need.operation for need in missing)}"
        return [Diagnosis("rights", "warn", text, f"grant Reader on {scope}")]
    return [Diagnosis("rights", "ok", f"{scope}: everything a scan reads may be read")]


_ELSEWHERE = ("Microsoft.Management/", "Microsoft.ResourceGraph/")
"""Operations that are not granted at a subscription."""


def _directory(walk: Walk) -> list[Diagnosis]:
    from auditor.collect.arm import get

    if walk.wire.cloud.graph_endpoint is None:
        text = "no Microsoft Graph endpoint is configured: service principals' object ids and groups stay unknown"
        return [Diagnosis("directory", "warn", text, "set AUDITOR_GRAPH_ENDPOINT, or [principals] in auditor.toml")]
    nobody = "00000000-0000-0000-0000-000000000000"
    failure = _failure_of(
        lambda: get(walk.wire, f"/v1.0/servicePrincipals(appId='{nobody}')?$select=id", "Graph", directory=True)
    )
    if failure is None or failure.reason == "not-found":
        return [Diagnosis("directory", "ok", f"{walk.wire.cloud.graph_endpoint} answers")]
    text = f"Microsoft Graph cannot be read ({failure.text}): service principals' object ids and groups stay unknown"
    return [Diagnosis("directory", "warn", text, "grant Application.Read.All and GroupMember.Read.All (application)")]


def _failure_of(call: Any) -> Failure | None:
    from auditor.collect.failures import Failure

    try:
        call()
    except Failure as failure:
        return failure
    return None


def _tags(walk: Walk, subscriptions: Sequence[dict[str, Any]], now: datetime) -> list[Diagnosis]:
    """Live scans read tags from Azure; its list trails Microsoft's weekly file by up to four weeks."""
    from auditor.collect import surroundings

    seen = sorted(fold(str(each.get("subscriptionId") or "")) for each in subscriptions)
    if not seen:
        return []
    place = _place(walk, seen[0])
    surroundings.service_tags(walk, place, now)
    rows = walk.rows_of(surroundings.TAGS)
    if not rows:
        text = "service tags could not be read: rules that name a tag stay undecided where its addresses matter"
        return [Diagnosis("service tags", "warn", text, "give Microsoft's published file with --service-tags")]
    properties = rows[0].get("properties") or {}
    number, count = properties.get("changeNumber"), len(properties.get("values") or [])
    return [Diagnosis("service tags", "ok", f"{count} tags, change number {number}, read today")]


def _place(walk: Walk, subscription: str) -> tuple[str, str]:
    """Any location will do: each gives the tags of the whole cloud."""
    default = {"china": "chinaeast2", "usgov": "usgovvirginia"}.get(walk.request.cloud.name, "eastus2")
    return subscription, default
