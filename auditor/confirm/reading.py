"""ARM's own word on a target, by the given SDKs; never by `useResourceGraph`, which would ask the index again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from auditor.collect import arm
from auditor.collect.authorization import with_condition
from auditor.collect.failures import Failure, describe
from auditor.collect.wire import WIRE_ERRORS, Wire
from auditor.confirm.confirming import Answer, Row
from auditor.confirm.link import Link
from auditor.confirm.targets import (
    API_VERSIONS,
    ASSIGNMENTS,
    CLUSTERS,
    DEFINITIONS,
    NETWORK,
    AssignmentsOf,
    One,
    Target,
)
from auditor.inventory.allowlist import keep_allowed
from auditor.values import ResourceId, fold

GONE = frozenset(
    {
        "notfound",
        "resourcenotfound",
        "resourcegroupnotfound",
        "parentresourcenotfound",
        "roleassignmentnotfound",
        "roledefinitiondoesnotexist",
    }
)
"""Codes of a 404 that prove that the resource is gone; others are about the question (`InvalidResourceType`, …)."""


def read(link: Link, targets: list[Target]) -> dict[Target, Answer | Failure]:
    """What ARM says of each target, one request each; a Failure where it says nothing that can be used."""
    calls = [_call(link, target) for target in targets]
    return dict(zip(targets, link.each(calls), strict=True))


def _call(link: Link, target: Target) -> Callable[[], Answer]:
    match target:
        case One():
            return lambda: _one(link.wire(), target)
        case AssignmentsOf():
            return lambda: _assignments(link, target)


def _one(wire: Wire, target: One) -> Answer:
    try:
        body = _body(wire, ResourceId.parse(target.id))
    except Failure as failure:
        codes = {code.casefold() for code in failure.code.split("/")}
        if failure.reason == "not-found" and codes & GONE:
            return {target.id: None}
        raise
    return _answer(target.id, body)


def _answer(asked: str, body: Any) -> Answer:
    kind = ResourceId.parse(asked).type
    answered = fold(str(body.get("id") or "")) if isinstance(body, dict) else ""
    # A role definition answers at every scope below those where it may be assigned, by the id that it has there.
    alike = answered.rsplit("/", 1)[-1] == fold(asked).rsplit("/", 1)[-1]
    if answered != fold(asked) and not (kind == DEFINITIONS and alike):
        raise Failure("bad-response", "the answer is not the resource that was asked for")
    reduced = keep_allowed({**body, "id": asked, "type": kind})
    if reduced is None:
        raise Failure("bad-response", "the answer is of another type than the id says")
    return {asked: with_condition(reduced) if kind == ASSIGNMENTS else reduced}


def _body(wire: Wire, asked: ResourceId) -> Any:
    kind = asked.type
    if kind in API_VERSIONS:
        return arm.get(wire, f"{asked.text}?api-version={API_VERSIONS[kind]}", operation_of(kind))
    subscription, group = asked.subscription_id or "", asked.resource_group or ""
    if kind == ASSIGNMENTS:
        call = wire.authorization(subscription or "-", "role_assignments").get_by_id
        return _raw(wire, kind, call, asked.text.lstrip("/"))
    if kind == DEFINITIONS:
        call = wire.authorization(subscription or "-", "role_definitions").get_by_id
        return _raw(wire, kind, call, asked.text.lstrip("/"))
    if kind == CLUSTERS:
        return _raw(wire, kind, wire.containers(subscription).managed_clusters.get, group, asked.name)
    return _raw(wire, kind, getattr(wire.network(subscription), NETWORK[kind]).get, group, asked.name)


def _raw(wire: Wire, kind: str, call: Callable[..., Any], *arguments: str) -> Any:
    """The body as it came over the wire: the SDK's models drop what they do not know."""
    return arm.twice(lambda: _raw_once(wire, kind, call, *arguments))


def _raw_once(wire: Wire, kind: str, call: Callable[..., Any], *arguments: str) -> Any:
    kept: list[bytes] = []

    def keep(response: Any) -> None:
        kept.append(response.http_response.body())

    try:
        call(*arguments, raw_response_hook=keep, operation=operation_of(kind), **wire.time_left())
        return msgspec.json.decode(kept[-1])
    except WIRE_ERRORS as error:
        raise describe(error) from error
    except IndexError as error:
        raise Failure("bad-response", "the answer is empty") from error


def operation_of(kind: str) -> str:
    """The name under which reading a type (folded) again is counted: `Confirm/virtualnetworks`."""
    return f"Confirm/{kind.split('/', 1)[1]}"


def _assignments(link: Link, target: AssignmentsOf) -> Answer:
    subscription = ResourceId.parse(target.scope).subscription_id or ""
    wire = link.wire()
    rows = arm.from_sdk(
        wire,
        wire.authorization(subscription, "role_assignments").list_for_scope,
        link.stopped,
        operation_of(ASSIGNMENTS),
        target.scope.lstrip("/"),
        filter=f"assignedTo('{target.principal}')",
    )
    answer: dict[str, Row | None] = {}
    for row in rows:
        reduced = keep_allowed({**row, "type": ASSIGNMENTS})
        if reduced is None or not isinstance(reduced.get("id"), str):
            raise Failure("bad-response", "a role assignment without an id")
        answer[str(reduced["id"])] = with_condition(reduced)
    return answer
