"""ARM's writes: PUT, PATCH and DELETE of one resource, worked into the estate as the services would.

Off unless the replica is started with `writes=True`: a scan never writes, and its tests rely on the 405. A write that
was accepted shows at once, in ARM and in the index; only its answer says `Updating` and names an operation to poll,
which is in progress once and then done.
"""

import copy
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from auditor.replica import settling
from auditor.replica.answers import Answer, arm_error, encoded, ok
from auditor.replica.estate import Application, Body, Estate, merged
from auditor.replica.world import World, parent_of, type_of

INSIDE = {
    "microsoft.network/virtualnetworks/subnets": "subnets",
    "microsoft.network/virtualnetworks/virtualnetworkpeerings": "virtualNetworkPeerings",
    "microsoft.network/networksecuritygroups/securityrules": "securityRules",
    "microsoft.network/routetables/routes": "routes",
    "microsoft.containerservice/managedclusters/agentpools": "agentPoolProfiles",
}
"""Children that live inside their parent's body, and the property of the parent that lists them."""
_AT_ONCE = (
    "microsoft.authorization/",
    "microsoft.storage/",
    "microsoft.keyvault/",
    "microsoft.network/privatednszones/a",
)
_PATCHED_LATER = frozenset(
    {"microsoft.machinelearningservices/workspaces", "microsoft.kubernetesconfiguration/extensions"}
)
_POLL_AGAIN_MS = "20"


@dataclass(frozen=True, slots=True)
class Write:
    """One PUT, PATCH or DELETE: `path` is percent-decoded and keeps its casing, `body` is what came with it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    application: Application

    @property
    def key(self) -> str:
        """The resource's id as the world spells it."""
        return self.path.lower().rstrip("/")


@dataclass(slots=True)
class _Operation:
    """A long-running operation: how often it still says that it is in progress, and what it leads to."""

    polls_left: int
    result: Body | None


class Writer:
    """Answers writes, remembers their operations, and tells what the estate is afterwards."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._operations: dict[str, _Operation] = {}
        self._lock = threading.Lock()

    def answer(self, world: World, write: Write) -> tuple[Answer, Estate | None]:
        """What ARM says to this write, and the estate after it (None: unchanged)."""
        refusal = _refusal(world, write)
        if refusal is not None:
            return refusal, None
        if write.method == "DELETE":
            return self._deleted(world, write)
        try:
            sent = json.loads(write.body or b"{}")
        except ValueError:
            sent = None
        if not isinstance(sent, dict):
            return arm_error(400, "InvalidRequestContent", "The request content was invalid JSON."), None
        found = world.get(write.path)
        if write.method == "PATCH":
            if found is None:
                return _missing(write), None
            return self._stored(world, write, merged(found.body, sent), found.body)
        return self._stored(world, write, sent, None if found is None else found.body)

    def operation(self, path: str) -> Answer | None:
        """The answer to a poll of an operation that was begun here; None for every other path."""
        parts = path.strip("/").split("/")
        if len(parts) < 2 or parts[-2].lower() not in ("operations", "operationresults"):
            return None
        with self._lock:
            running = self._operations.get(parts[-1].lower())
            if running is None:
                return None
            done = running.polls_left <= 0
            running.polls_left -= 1
        again = {"x-ms-retry-after-ms": _POLL_AGAIN_MS}
        if parts[-2].lower() == "operations":
            return ok(
                {"name": parts[-1], "status": "Succeeded" if done else "InProgress"}, headers={} if done else again
            )
        if not done:
            where = {"Location": f"{self._base_url}{path}?api-version=2024-05-01", **again}
            return Answer(202, b"", where)
        return Answer(204, b"") if running.result is None else ok(running.result)

    def _stored(self, world: World, write: Write, sent: Body, before: Body | None) -> tuple[Answer, Estate | None]:
        body = _whole(write.path, sent, before)
        problem = settling.conflict(world, write.path, body)
        if problem is not None:
            return problem, None
        body = settling.settled(world, write.path, body, before)
        estate = put(world.estate, write.path, body)
        for consequence in settling.consequences(World(estate), body, before):
            estate = put(estate, consequence["id"], consequence)
        status = 201 if before is None else 200
        if write.key.rsplit("/providers/", 1)[-1].startswith(_AT_ONCE) or type_of(write.path).lower().startswith(
            _AT_ONCE
        ):
            return Answer(status, encoded(body)), estate
        shown = merged(body, {"properties": {"provisioningState": "Updating"}})
        later = write.method == "PATCH" and type_of(write.path).lower() in _PATCHED_LATER
        return self._begun(write, 202 if later else status, shown, body), estate

    def _deleted(self, world: World, write: Write) -> tuple[Answer, Estate | None]:
        found = world.get(write.path)
        if found is None:
            return Answer(204, b""), None
        estate = without(world.estate, write.path)
        if type_of(write.path).lower().startswith(_AT_ONCE):
            return ok(found.body), estate
        return self._begun(write, 202, None, None), estate

    def _begun(self, write: Write, status: int, shown: Body | None, result: Body | None) -> Answer:
        """The first answer of a long-running operation, with both links that clients poll."""
        name = str(uuid.uuid4())
        with self._lock:
            self._operations[name] = _Operation(1, result)
        parts = write.path.split("/")
        place = f"/subscriptions/{parts[2]}/providers/{type_of(write.path).split('/')[0]}/locations/here"
        link = f"{self._base_url}{place}/{{}}/{name}?api-version=2024-05-01"
        headers = {"Azure-AsyncOperation": link.format("operations"), "x-ms-retry-after-ms": _POLL_AGAIN_MS}
        if status == 202:
            headers["Location"] = link.format("operationResults")
        return Answer(status, b"" if shown is None else encoded(shown), headers)


def _refusal(world: World, write: Write) -> Answer | None:
    """What keeps this write from being looked at: no version, no right, no resource group, no parent."""
    if not any(name.lower() == "api-version" for name in write.query):
        text = "The api-version query parameter (?api-version=) is required for all requests."
        return arm_error(400, "MissingApiVersionParameter", text)
    parts = write.key.strip("/").split("/")
    if "providers" not in parts or len(parts) % 2:
        return arm_error(405, "MethodNotAllowed", f"'{write.path}' names no single resource of a provider.")
    if not world.may_read(write.application, write.path):
        who, action = (
            write.application.object_id,
            type_of(write.path) + ("/delete" if write.method == "DELETE" else "/write"),
        )
        text = f"The client '{who}' does not have authorization to perform action '{action}' over scope '{write.path}'."
        return arm_error(403, "AuthorizationFailed", text)
    parent = parent_of(write.key)
    if parts[0] == "subscriptions" and parent.count("/") >= 4 and world.get(parent) is None:
        group = parent.count("/") == 4
        code = "ResourceGroupNotFound" if group else "ParentResourceNotFound"
        return arm_error(404, code, f"'{parent}', which the request would write into, could not be found.")
    return None


def _missing(write: Write) -> Answer:
    return arm_error(404, "ResourceNotFound", f"The Resource '{write.path}' was not found.")


def _whole(path: str, sent: Body, before: Body | None) -> Body:
    """The body as it will be shown: what was sent, its own id, and what only the service may write."""
    kind = type_of(path)
    body = copy.deepcopy(sent)
    body.pop("etag", None)
    own = {"id": (before or {}).get("id", path), "name": (before or {}).get("name", path.rsplit("/", 1)[-1])}
    body.update(own, type=(before or {}).get("type", kind))
    if before is not None:
        for word in ("location", "kind", "sku", "tags", "identity"):
            if word in before:
                body.setdefault(word, before[word])
    body["properties"] = settling.kept(
        kind.lower(), dict(body.get("properties") or {}), (before or {}).get("properties") or {}
    )
    for child_kind, where in INSIDE.items():
        if parent_kind(child_kind) == kind.lower() and where != "agentPoolProfiles":
            collection = _spelled(child_kind)
            for child in body["properties"].get(where) or ():
                child.setdefault("id", f"{body['id']}/{collection}/{child.get('name')}")
    return body


def parent_kind(child_kind: str) -> str:
    """`microsoft.network/virtualnetworks` of `microsoft.network/virtualnetworks/subnets`."""
    return child_kind.rsplit("/", 1)[0]


def _spelled(child_kind: str) -> str:
    known = {"securityrules": "securityRules", "virtualnetworkpeerings": "virtualNetworkPeerings"}
    last = child_kind.rsplit("/", 1)[-1]
    return known.get(last, last)


def put(estate: Estate, path: str, body: Body) -> Estate:
    """The estate with this resource in it, inside its parent where such children live there."""
    return _changed(estate, path, lambda _: body)


def without(estate: Estate, path: str) -> Estate:
    """The estate without this resource and everything below it."""
    left = _changed(estate, path, lambda _: None)
    below = path.lower().rstrip("/") + "/"
    return replace(left, resources=tuple(one for one in left.resources if not one["id"].lower().startswith(below)))


def _changed(estate: Estate, path: str, change: Callable[[Body | None], Body | None]) -> Estate:
    key = path.lower().rstrip("/")
    where = INSIDE.get(type_of(path).lower())
    parent = parent_of(key)
    resources: list[Body] = []
    placed = False
    for one in estate.resources:
        at = one["id"].lower().rstrip("/")
        if at == key:
            after = change(one)
            placed = True
            if after is not None:
                resources.append(after)
        elif where is not None and at == parent:
            placed = True
            resources.append(_with_child(one, where, key.rsplit("/", 1)[-1], change(None)))
        else:
            resources.append(one)
    if not placed:
        after = change(None)
        if after is not None:
            resources.append(after)
    return replace(estate, resources=tuple(resources))


def _with_child(parent: Body, where: str, name: str, child: Body | None) -> Body:
    """The parent's body with this child put in, in its place, or (None) taken out."""
    parent = copy.deepcopy(parent)
    children: list[Any] = parent.setdefault("properties", {}).get(where) or []
    if child is not None and where == "agentPoolProfiles":
        child = {"name": child["name"], **child.get("properties", {})}
    elif child is not None:
        child = {word: value for word, value in child.items() if word != "type"}
    at = next((n for n, one in enumerate(children) if str(one.get("name", "")).lower() == name), None)
    if at is None:
        children = children if child is None else [*children, child]
    else:
        children = [*children[:at], *([] if child is None else [child]), *children[at + 1 :]]
    parent["properties"][where] = children
    return parent
