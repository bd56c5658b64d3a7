"""What Resource Graph does not hold: computes, service tags, and extensions where their table is missing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from auditor.collect.arm import API_VERSIONS, get, list_all, twice
from auditor.collect.failures import Failure, describe
from auditor.collect.references import at
from auditor.collect.wire import WIRE_ERRORS
from auditor.values import ResourceId, region_key

if TYPE_CHECKING:
    from auditor.collect.walk import Walk

WORKSPACES = "microsoft.machinelearningservices/workspaces"
COMPUTES = f"{WORKSPACES}/computes"
CLUSTERS = "microsoft.containerservice/managedclusters"
EXTENSIONS = "microsoft.kubernetesconfiguration/extensions"
TAGS = "microsoft.network/servicetags"


def computes(walk: Walk) -> list[Callable[[], None]]:
    """One call a workspace: the list of its computes, which names the clusters attached to it."""
    return [functools.partial(_computes_of, walk, str(row["id"])) for row in walk.rows_of(WORKSPACES)]


def _computes_of(walk: Walk, workspace: str) -> None:
    try:
        url = f"{workspace}/computes?api-version={API_VERSIONS['computes']}"
        walk.keep(list_all(walk.wire, url, "ARM/computes", walk.stopped))
    except Failure as failure:
        # Which clusters are attached is then unknown.
        walk.gaps.add(
            workspace,
            COMPUTES,
            failure,
            required=True,
            operation="Microsoft.MachineLearningServices/workspaces/computes/read",
        )


def old_computes(walk: Walk) -> None:
    """The details of v1 computes, which newer api-versions leave out."""
    bare = [
        str(row["id"])
        for row in walk.rows_of(COMPUTES)
        if str(next(at(row, "properties.computeType"), "")).casefold() == "aks"
        and next(at(row, "properties.properties"), None) is None
    ]
    walk.together([functools.partial(_old_compute, walk, each) for each in bare])


def _old_compute(walk: Walk, compute: str) -> None:
    try:
        walk.keep([get(walk.wire, f"{compute}?api-version={API_VERSIONS['computes-v1']}", "ARM/computes")])
    except Failure as failure:
        walk.gaps.add(
            compute,
            COMPUTES,
            failure,
            required=False,
            operation="Microsoft.MachineLearningServices/workspaces/computes/read",
        )


def missing_extensions(walk: Walk) -> list[Callable[[], None]]:
    """One call a cluster where the table `kubernetesconfigurationresources` does not exist; else none."""
    if not walk.extensions_by_arm:
        return []
    return [functools.partial(_extensions_of, walk, str(row["id"])) for row in walk.rows_of(CLUSTERS)]


def _extensions_of(walk: Walk, cluster: str) -> None:
    url = f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions?api-version={API_VERSIONS['extensions']}"
    try:
        walk.keep(list_all(walk.wire, url, "ARM/extensions", walk.stopped))
    except Failure as failure:
        walk.gaps.add(
            cluster,
            EXTENSIONS,
            failure,
            required=True,
            operation="Microsoft.KubernetesConfiguration/extensions/read",
        )


def tag_place(walk: Walk) -> tuple[str, str] | None:
    """(subscription, location) from where service tags are asked: of the first cluster, else of anything."""
    for kinds in ((CLUSTERS,), (WORKSPACES, "microsoft.containerinstance/containergroups")):
        for row in walk.rows_of(*kinds):
            subscription = ResourceId.parse(row["id"]).subscription_id
            if row.get("location") and subscription:
                return subscription, str(row["location"])
    return None


def service_tags(walk: Walk, place: tuple[str, str] | None, taken_at: datetime) -> None:
    """The cloud's service tags, as one location tells them, kept as one `microsoft.network/servicetags` row."""
    if place is None:
        return
    subscription, location = place[0], region_key(place[1])
    scope = f"/subscriptions/{subscription}"
    try:
        body = twice(lambda: _tags(walk, subscription, location))
        if not isinstance(body.get("values"), list):
            raise Failure("bad-response", "a tag list without values")
    except Failure as failure:
        walk.gaps.add(scope, TAGS, failure, required=False, operation="Microsoft.Network/locations/serviceTags/read")
        return
    own_id = f"{scope}/providers/Microsoft.Network/locations/{location}/serviceTags/{location}"
    walk.keep(
        [
            {
                "id": own_id,
                "type": TAGS,
                "name": location,
                "location": location,
                "properties": {**body, "takenAt": taken_at.isoformat(timespec="seconds")},
            }
        ]
    )


def _tags(walk: Walk, subscription: str, location: str) -> dict[str, Any]:
    def raw(response: Any, _model: Any, _headers: Any) -> bytes:
        body: bytes = response.http_response.body()
        return body

    try:
        body = walk.wire.network(subscription).service_tags.list(
            location, cls=raw, operation="ARM/serviceTags", **walk.wire.time_left()
        )
        decoded = msgspec.json.decode(body)
    except WIRE_ERRORS as error:
        raise describe(error) from error
    if not isinstance(decoded, dict):
        raise Failure("bad-response", "the answer is not a JSON object")
    return decoded
