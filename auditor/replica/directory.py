"""The reads of Microsoft Graph that a scan makes: service principals, and who is in which group.

Base path `/graph`, so that its audience differs from ARM's although one server plays both.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from auditor.replica.answers import Answer, encoded, ok
from auditor.replica.estate import Application, Body, Group
from auditor.replica.world import World

BASE_PATH = "/graph"


@dataclass(frozen=True, slots=True)
class Principal:
    """A service principal, wherever the estate mentions it."""

    app_id: str
    object_id: str
    display_name: str
    kind: str


class Directory:
    """Answers Graph's GETs for one world."""

    def __init__(self, base_url: str, page_size: int) -> None:
        self._base_url = base_url
        self._page_size = page_size

    def answer(self, world: World, application: Application, path: str, query: Mapping[str, str]) -> Answer:
        """What Graph says to a GET of `path` (below the base path, percent-decoded)."""
        if not application.graph:
            return _error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        version, _, rest = path.strip("/").partition("/")
        if version not in ("v1.0", "beta"):
            return _error(400, "BadRequest", f"Invalid version: {version}.")
        principals = {one.object_id.lower(): one for one in principals_of(world)}
        groups = {one.id.lower(): one for one in world.estate.groups}
        by_app = re.fullmatch(r"servicePrincipals\(appId='([^']*)'\)(/.*)?", rest, re.IGNORECASE)
        if by_app is not None:
            found = next((one for one in principals.values() if one.app_id.lower() == by_app[1].lower()), None)
            if found is None:
                return _missing(by_app[1])
            rest = f"servicePrincipals/{found.object_id}{by_app[2] or ''}"
        parts = rest.split("/")
        collection = parts[0].lower()
        if len(parts) == 1 and collection == "serviceprincipals":
            return self._filtered(path, query, principals)
        if collection not in ("serviceprincipals", "groups") or len(parts) < 2:
            return _error(400, "BadRequest", f"Resource not found for the segment '{parts[0]}'.")
        known = parts[1].lower() in (principals if collection == "serviceprincipals" else groups)
        if not known:
            return _missing(parts[1])
        if len(parts) == 2:
            one = (
                _principal_body(principals[parts[1].lower()])
                if collection == "serviceprincipals"
                else _group_body(groups[parts[1].lower()])
            )
            return ok(
                {"@odata.context": f"{self._base_url}{BASE_PATH}/v1.0/$metadata#{parts[0]}/$entity", **one}, rows=1
            )
        wanted = parts[2].lower()
        if wanted in ("transitivememberof", "memberof"):
            above = _above(groups, parts[1], deep=wanted == "transitivememberof")
            return self._page(path, query, [_group_body(one) for one in above])
        if wanted in ("transitivemembers", "members") and collection == "groups":
            below = _below(groups, parts[1], deep=wanted == "transitivemembers")
            return self._page(path, query, [_member_body(one, principals, groups) for one in below])
        return _error(400, "BadRequest", f"Resource not found for the segment '{parts[2]}'.")

    def _filtered(self, path: str, query: Mapping[str, str], principals: Mapping[str, Principal]) -> Answer:
        condition = query.get("$filter", "").strip()
        match = re.fullmatch(r"(appId|id|displayName)\s+eq\s+'([^']*)'", condition)
        if condition and match is None:
            return _error(400, "Request_UnsupportedQuery", "Unsupported Query.")
        rows = [_principal_body(one) for one in principals.values()]
        if match is not None:
            rows = [row for row in rows if str(row[match[1]]).lower() == match[2].lower()]
        return self._page(path, query, rows)

    def _page(self, path: str, query: Mapping[str, str], rows: list[Body]) -> Answer:
        try:
            offset = int(base64.urlsafe_b64decode(query.get("$skiptoken", base64.urlsafe_b64encode(b"0").decode())))
            size = min(max(int(query.get("$top", self._page_size)), 1), 999)
        except ValueError:
            return _error(400, "BadRequest", "Invalid value of $top or $skiptoken.")
        size = min(size, self._page_size)
        page = rows[offset : offset + size]
        document: dict[str, Any] = {
            "@odata.context": f"{self._base_url}{BASE_PATH}/v1.0/$metadata#directoryObjects",
            "value": page,
        }
        if offset + len(page) < len(rows):
            token = base64.urlsafe_b64encode(str(offset + len(page)).encode()).decode()
            following = urlencode({**query, "$skiptoken": token})
            document["@odata.nextLink"] = f"{self._base_url}{BASE_PATH}{quote(path)}?{following}"
        return ok(document, rows=len(page))


def principals_of(world: World) -> Iterator[Principal]:
    """Every service principal of the estate: named ones, applications, and the identities of resources."""
    for known in world.estate.service_principals:
        yield Principal(known.app_id, known.object_id, known.display_name, "Application")
    for application in world.estate.applications:
        yield Principal(application.app_id, application.object_id, application.display_name, "Application")
    for resource in world.resources.values():
        properties = resource.body.get("properties")
        identity = resource.body.get("identity")
        if resource.type == "microsoft.managedidentity/userassignedidentities" and isinstance(properties, Mapping):
            yield from _identity(properties.get("principalId"), properties.get("clientId"), resource.body)
        if isinstance(identity, Mapping):
            yield from _identity(identity.get("principalId"), None, resource.body)


def _identity(object_id: Any, app_id: Any, body: Body) -> Iterator[Principal]:
    if isinstance(object_id, str) and object_id:
        yield Principal(str(app_id or ""), object_id, str(body.get("name", "")), "ManagedIdentity")


def _above(groups: Mapping[str, Group], principal: str, *, deep: bool) -> list[Group]:
    """The groups that hold a member; `deep`: those that hold these groups too."""
    found: dict[str, Group] = {}
    seekers = {principal.lower()}
    while seekers:
        holding = {
            key: group
            for key, group in groups.items()
            if key not in found and any(member.lower() in seekers for member in group.members)
        }
        found |= holding
        seekers = set(holding) if deep else set()
    return list(found.values())


def _below(groups: Mapping[str, Group], group: str, *, deep: bool) -> list[str]:
    """The members of a group; `deep`: those of the groups inside it too, each once."""
    found: dict[str, str] = {}
    waiting = [group.lower()]
    while waiting:
        for member in groups[waiting.pop()].members:
            key = member.lower()
            if key not in found and key != group.lower():
                found[key] = member
                if deep and key in groups:
                    waiting.append(key)
    return list(found.values())


def _principal_body(one: Principal) -> Body:
    return {
        "id": one.object_id,
        "appId": one.app_id or None,
        "displayName": one.display_name,
        "servicePrincipalType": one.kind,
        "accountEnabled": True,
    }


def _group_body(one: Group) -> Body:
    kind = {"@odata.type": "#microsoft.graph.group"}
    return {**kind, "id": one.id, "displayName": one.display_name, "securityEnabled": True, "groupTypes": []}


def _member_body(member: str, principals: Mapping[str, Principal], groups: Mapping[str, Group]) -> Body:
    key = member.lower()
    if key in groups:
        return _group_body(groups[key])
    if key in principals:
        return {"@odata.type": "#microsoft.graph.servicePrincipal", **_principal_body(principals[key])}
    return {"@odata.type": "#microsoft.graph.user", "id": member, "displayName": None}


def _missing(name: str) -> Answer:
    text = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
    return _error(404, "Request_ResourceNotFound", text)


def _error(status: int, code: str, message: str) -> Answer:
    """Graph's error envelope."""
    stamp, request = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", str(uuid4())
    inner = {"date": stamp, "request-id": request, "client-request-id": request}
    return Answer(status, encoded({"error": {"code": code, "message": message, "innerError": inner}}))
