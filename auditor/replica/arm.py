"""Azure Resource Manager's reads: a resource by id, and the lists that a scan asks for.

Paths compare without case; a list is a page of `arm_page_size` rows with an absolute `nextLink`.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlencode

from auditor.replica.activity import meets
from auditor.replica.answers import Answer, arm_error, ok
from auditor.replica.assignments import assignable, condition_test, properties_of, scope_of
from auditor.replica.estate import Application, Body, ManagementGroup, Subscription, merged
from auditor.replica.world import Resource, World, type_of

T = TypeVar("T")

_API_VERSION = re.compile(r"^\d{4}-\d{2}-\d{2}(-[a-z]+(\.\d+)?)?$", re.IGNORECASE)
_AUTHORIZATION_LISTS = frozenset(
    {
        "roleassignments", "roledefinitions", "denyassignments", "roleeligibilityscheduleinstances",
        "roleassignmentscheduleinstances", "permissions",
    }
)  # fmt: skip
_READER = {"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}


@dataclass(frozen=True, slots=True)
class Call:
    """One GET as ARM sees it. `path` keeps the caller's casing and is percent-decoded."""

    path: str
    query: Mapping[str, str]
    application: Application

    @property
    def segments(self) -> list[str]:
        """The path's segments in lower case."""
        return self.path.strip("/").lower().split("/")

    def option(self, name: str) -> str | None:
        """A query parameter, whatever the casing of its name."""
        return next((value for key, value in self.query.items() if key.lower() == name.lower()), None)


class ResourceManager:
    """Answers GETs for one world."""

    def __init__(self, base_url: str, page_size: int) -> None:
        self._base_url = base_url
        self._page_size = page_size

    def answer(self, world: World, call: Call) -> Answer:
        """What ARM says to this GET."""
        version = call.option("api-version")
        if version is None:
            return arm_error(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        if not _API_VERSION.match(version):
            return arm_error(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
        refusal = self._scope_refusal(world, call)
        if refusal is not None:
            return refusal
        return self._routed(world, call)

    def _scope_refusal(self, world: World, call: Call) -> Answer | None:
        """404 and 403 that the subscription or resource group of a path earns before anything inside it."""
        parts = call.segments
        if len(parts) < 2 or parts[0] != "subscriptions":
            return None
        if parts[1] not in world.subscriptions:
            return arm_error(404, "SubscriptionNotFound", f"The subscription '{parts[1]}' could not be found.")
        if not world.sees_subscription(call.application, parts[1]):
            return _forbidden(call, f"/subscriptions/{parts[1]}", _action(call))
        if len(parts) >= 4 and parts[2] == "resourcegroups":
            group = f"/subscriptions/{parts[1]}/resourcegroups/{parts[3]}"
            if world.get(group) is None:
                if not world.may_read(call.application, group):
                    return _forbidden(call, call.path, _action(call))
                return arm_error(404, "ResourceGroupNotFound", f"Resource group '{parts[3]}' could not be found.")
        return None

    def _routed(self, world: World, call: Call) -> Answer:
        parts = call.segments
        if parts == ["subscriptions"]:
            seen = [key for key in world.subscriptions if world.sees_subscription(call.application, key)]
            return self._page(call, [_shown(world, f"/subscriptions/{key}") for key in seen])
        if parts[0] == "subscriptions" and len(parts) == 2:
            return ok(_shown(world, call.path))
        if parts[0] == "subscriptions" and parts[2:] in (["resourcegroups"], ["resources"], ["providers"]):
            return self._of_subscription(world, call, parts[1], parts[2])
        if parts[0] == "subscriptions" and parts[2:3] == ["resourcegroups"] and parts[4:] == ["resources"]:
            return self._generic_list(world, call, parts[1], parts[3])
        if parts[0] == "subscriptions" and len(parts) == 4 and parts[2] == "providers":
            return ok(_provider(world, parts[1], parts[3]))
        if parts[-1] == "servicetags" and "locations" in parts:
            return self._service_tags(world, call)
        if parts[-4:] == ["microsoft.insights", "eventtypes", "management", "values"]:
            return self._activity(world, call, parts[1])
        if parts[:2] == ["providers", "microsoft.management"]:
            return self._management_groups(world, call, parts[2:])
        if "providers" not in parts:
            return self._one(world, call)
        last = len(parts) - 1 - parts[::-1].index("providers")
        if last + 2 >= len(parts):
            return _not_found(call)
        namespace, rest = parts[last + 1], parts[last + 2 :]
        if namespace == "microsoft.authorization" and rest[:1] and rest[0] in _AUTHORIZATION_LISTS:
            scope = "/" + "/".join(call.path.strip("/").split("/")[:last])
            return self._authorization(world, call, scope, rest)
        if len(rest) % 2 == 0:
            return self._one(world, call)
        return self._collection(world, call, last, namespace, rest)

    def _one(self, world: World, call: Call) -> Answer:
        """A resource by id; whoever may not read there does not learn whether it exists."""
        if not world.may_read(call.application, call.path):
            return _forbidden(call, call.path, _action(call))
        found = world.get(call.path)
        if found is None:
            return _not_found(call)
        if (call.option("useResourceGraph") or "").lower() == "true":
            return _from_index(world, found)
        return ok(_body(world, found))

    def _collection(self, world: World, call: Call, last: int, namespace: str, rest: list[str]) -> Answer:
        """`…/providers/NS/type` of a subscription, a resource group or a resource, and `…/parent/child-type`."""
        parts = call.segments
        above = "/" + "/".join(parts[:last]) if len(rest) == 1 else "/" + "/".join(parts[:-1])
        if not world.may_read(call.application, above):
            return _forbidden(call, above, _action(call))
        kind = "/".join([namespace, *rest[::2]])
        if len(rest) == 1 and len(parts[:last]) in (2, 4):
            group = parts[3] if last == 4 else None
            found = world.of_type(kind, parts[1], group)
        else:
            parent = world.get(above)
            if parent is None:
                return _parent_not_found(call, above)
            names = ("a", "aaaa", "cname", "mx", "ptr", "srv", "txt", "soa")
            wanted = names if kind.endswith("dnszones/all") else (rest[-1],)
            found = [one for name in wanted for one in world.children(above, name)]
            found = [one for one in found if one.type == kind or wanted is names]
        readable = [one for one in found if world.may_read(call.application, one.key)]
        return self._page(call, [_body(world, one) for one in readable])

    def _of_subscription(self, world: World, call: Call, subscription: str, what: str) -> Answer:
        if what == "resources":
            return self._generic_list(world, call, subscription, None)
        if what == "providers":
            spaces = dict.fromkeys(
                one.type.split("/")[0]
                for one in world.resources.values()
                if one.subscription == subscription and "/" in one.type
            )
            return self._page(call, [_provider(world, subscription, space) for space in spaces])
        found = [
            *world.of_type("microsoft.resources/resourcegroups", subscription),
            *world.of_type("microsoft.resources/subscriptions/resourcegroups", subscription),
        ]
        readable = [one for one in found if world.may_read(call.application, one.key)]
        return self._page(call, [_body(world, one) for one in readable])

    def _generic_list(self, world: World, call: Call, subscription: str, group: str | None) -> Answer:
        """`resources`: top-level resources of any type, in short form, those only that the caller may read."""
        wanted = re.search(r"resourceType\s+eq\s+'([^']*)'", call.option("$filter") or "", re.IGNORECASE)
        found = [
            one
            for one in world.resources.values()
            if one.subscription == subscription
            and (group is None or one.resource_group == group)
            and one.resource_group is not None
            and one.type.count("/") == 1
            and not one.type.startswith(("microsoft.resources/", "microsoft.authorization/"))
            and (wanted is None or one.type == wanted[1].lower())
            and world.may_read(call.application, one.key)
        ]
        kept = ("id", "name", "type", "kind", "location", "tags", "sku", "identity", "managedBy", "plan", "zones")
        return self._page(call, [{key: one.body[key] for key in kept if key in one.body} for one in found])

    def _service_tags(self, world: World, call: Call) -> Answer:
        parts = call.segments
        if not world.may_read(call.application, f"/subscriptions/{parts[1]}"):
            return _forbidden(call, f"/subscriptions/{parts[1]}", "Microsoft.Network/locations/serviceTags/read")
        tags = world.estate.service_tags
        if tags is None:
            return arm_error(404, "NotFound", "The estate of this replica holds no service tags.")
        location = parts[parts.index("locations") + 1]
        number, cloud = str(tags.get("changeNumber", "1")), str(tags.get("cloud", "Public"))
        values = list(tags.get("values", []))
        return ok(
            {
                "name": cloud,
                "id": f"/subscriptions/{parts[1]}/providers/Microsoft.Network/serviceTags/{cloud}",
                "type": "Microsoft.Network/serviceTags",
                "changeNumber": number,
                "cloud": cloud,
                "values": values,
            },
            rows=len(values),
            headers={"x-ms-request-location": location},
        )

    def _activity(self, world: World, call: Call, subscription: str) -> Answer:
        """The activity log: events of the subscription that the `$filter`'s conditions leave."""
        if not world.may_read(call.application, f"/subscriptions/{subscription}"):
            return _forbidden(call, f"/subscriptions/{subscription}", "Microsoft.Insights/eventtypes/values/read")
        conditions = re.findall(r"(\w+)\s+(eq|ge|le)\s+'([^']*)'", call.option("$filter") or "", re.IGNORECASE)
        if not any(name.lower() == "eventtimestamp" and sign.lower() == "ge" for name, sign, _ in conditions):
            return arm_error(400, "BadRequest", "The $filter must hold a lower bound of eventTimestamp.")
        found = [
            event
            for event in world.estate.activity
            if f"/subscriptions/{subscription}" in str(event.get("resourceId") or event.get("id", "")).lower()
            and all(meets(event, name.lower(), sign.lower(), value) for name, sign, value in conditions)
        ]
        found.sort(key=lambda event: str(event.get("eventTimestamp", "")), reverse=True)
        return self._page(call, found)

    def _management_groups(self, world: World, call: Call, rest: list[str]) -> Answer:
        if rest[:1] != ["managementgroups"]:
            return _not_found(call)
        readable = [one.id for one in world.groups.values() if world.may_read(call.application, _group_id(one.id))]
        if len(rest) == 1:
            return self._page(call, [_shown(world, _group_id(name)) for name in readable])
        if len(rest) > 3 or (len(rest) == 3 and rest[2] not in ("descendants", "subscriptions")):
            return self._routed_below_group(world, call)
        name = rest[1]
        known = name in world.groups
        allowed = name in {one.lower() for one in readable}
        if name == world.estate.tenant_id.lower():
            known, allowed = True, world.may_read(call.application, "/")
        if not known or not allowed:
            return _forbidden(call, _group_id(name), "Microsoft.Management/managementGroups/read")
        if len(rest) == 2:
            return ok(self._expanded_group(world, call, name))
        return self._descendants(world, call, name, only_subscriptions=rest[2] == "subscriptions")

    def _routed_below_group(self, world: World, call: Call) -> Answer:
        """Extension resources at a management group."""
        parts = call.segments
        last = len(parts) - 1 - parts[::-1].index("providers")
        kinds = parts[last + 2 : last + 3]
        if last > 0 and parts[last + 1 :][:1] == ["microsoft.authorization"] and set(kinds) & _AUTHORIZATION_LISTS:
            scope = "/" + "/".join(call.path.strip("/").split("/")[:last])
            return self._authorization(world, call, scope, parts[last + 2 :])
        return self._one(world, call)

    def _expanded_group(self, world: World, call: Call, name: str) -> Body:
        body = dict(_root_group(world)) if name not in world.groups else dict(_shown(world, _group_id(name)))
        if (call.option("$expand") or "").lower() == "children":
            body["properties"] = {**body["properties"], "children": self._children(world, name, call)}
        return body

    def _children(self, world: World, name: str, call: Call) -> list[Body]:
        deep = (call.option("$recurse") or "").lower() == "true"
        root = world.estate.tenant_id.lower()
        groups = [
            {
                "id": _group_id(one.id),
                "type": "Microsoft.Management/managementGroups",
                "name": one.id,
                "displayName": one.display_name,
                **({"children": self._children(world, one.id.lower(), call)} if deep else {}),
            }
            for one in world.groups.values()
            if (one.parent or root).lower() == name
        ]
        subscriptions = [
            {"id": f"/subscriptions/{one.id}", "type": "/subscriptions", "name": one.id, "displayName": one.name}
            for one in world.subscriptions.values()
            if (one.management_group or root).lower() == name
        ]
        return [*groups, *subscriptions]

    def _descendants(self, world: World, call: Call, name: str, *, only_subscriptions: bool) -> Answer:
        root = world.estate.tenant_id
        below = frozenset({root.lower(), *world.groups}) if name == root.lower() else world.below_group(name)
        groups = [
            one
            for one in world.groups.values()
            if one.id.lower() in below and one.id.lower() != name and not only_subscriptions
        ]
        subscriptions = [one for one in world.subscriptions.values() if (one.management_group or root).lower() in below]

        def body(one: ManagementGroup | Subscription) -> Body:
            # Made for the page that is sent only: a tenant of 10,000 subscriptions is listed in a hundred of them.
            if isinstance(one, ManagementGroup):
                identity, kind, shown, parent = _group_id(one.id), "", one.display_name, one.parent
            else:
                identity, kind, shown, parent = (
                    f"/subscriptions/{one.id}", "/subscriptions", one.name, one.management_group,
                )  # fmt: skip
            return {
                "id": identity,
                "type": f"Microsoft.Management/managementGroups{kind}",
                "name": one.id,
                "properties": {"displayName": shown, "parent": {"id": _group_id(parent or root)}},
            }

        listed: list[ManagementGroup | Subscription] = [*groups, *subscriptions]
        return self._page(call, listed, body)

    def _authorization(self, world: World, call: Call, scope: str, rest: list[str]) -> Answer:
        kind = rest[0]
        if not world.may_read(call.application, scope):
            return _forbidden(call, scope, f"Microsoft.Authorization/{_spelled(call, kind)}/read")
        if len(rest) == 2:
            return self._authorization_one(world, call, scope, kind, rest[1])
        if kind == "permissions":
            return self._page(call, [dict(_READER)])
        if scope != "/" and scope.count("/") > 4 and world.get(scope) is None:
            return _parent_not_found(call, scope)
        every = world.of_type(f"microsoft.authorization/{kind}")
        if kind == "roledefinitions":
            return self._role_definitions(world, call, scope, every)
        return self._assignments(world, call, scope, every)

    def _authorization_one(self, world: World, call: Call, scope: str, kind: str, name: str) -> Answer:
        found = world.get(call.path)
        if found is None and kind == "roledefinitions":
            # A role definition answers under every scope it may be assigned at.
            named = [
                one for one in world.of_type("microsoft.authorization/roledefinitions") if one.key.endswith(f"/{name}")
            ]
            found = next((one for one in named if assignable(one, set(world.scopes_of(scope)))), None)
        if found is None:
            code = "RoleDefinitionDoesNotExist" if kind == "roledefinitions" else "RoleAssignmentNotFound"
            return arm_error(404, code, f"The {_spelled(call, kind)[:-1]} '{name}' is not found.")
        return ok(found.body)

    def _role_definitions(self, world: World, call: Call, scope: str, every: Iterable[Resource]) -> Answer:
        chain = set(world.scopes_of(scope))
        text = (call.option("$filter") or "").replace(" ", "").lower()
        below = scope.lower().rstrip("/") + "/"
        found = []
        for one in every:
            scopes = [str(entry).lower() for entry in properties_of(one.body).get("assignableScopes", ["/"])]
            here = bool(chain & {entry.rstrip("/") or "/" for entry in scopes})
            if here or ("atscopeandbelow()" in text and any(entry.startswith(below) for entry in scopes)):
                found.append(one)
        wanted = re.search(r"(type|rolename)eq'([^']*)'", text)
        if wanted is not None:
            key = {"type": "type", "rolename": "roleName"}[wanted[1]]
            found = [
                one for one in found if str(properties_of(one.body).get(key, "")).replace(" ", "").lower() == wanted[2]
            ]
        return self._page(call, [one.body for one in found])

    def _assignments(self, world: World, call: Call, scope: str, every: Iterable[Resource]) -> Answer:
        """Assignments at, above and below a scope, as far as `$filter` does not leave some out."""
        chain = set(world.scopes_of(scope))
        wanted = (call.option("$filter") or "").strip()
        conditions = [part.strip() for part in re.split(r"\s+and\s+", wanted, flags=re.IGNORECASE) if part.strip()]
        tests: list[Callable[[Resource, str], bool]] = []
        for condition in conditions:
            test = condition_test(world, call.application, condition, chain)
            if test is None:
                return arm_error(400, "UnsupportedQuery", f"The filter '{condition}' is not supported.")
            tests.append(test)
        subscription = scope.lower().split("/")[2] if scope.lower().startswith("/subscriptions/") else None
        found = []
        for one in every:
            if subscription is not None and one.subscription not in (subscription, None):
                continue
            at = scope_of(one)
            above = at in chain
            # Whoever reads at a scope sees what is inherited there; below it every scope has to be readable by itself.
            below = scope.lower().rstrip("/") in set(world.scopes_of(at)) | {"" if scope == "/" else "-"}
            if not above and not (below and world.may_read(call.application, at)):
                continue
            if all(test(one, at) for test in tests):
                found.append(one.body)
        return self._page(call, found)

    def _page(self, call: Call, rows: Sequence[T], shown: Callable[[T], Any] = lambda row: row) -> Answer:
        """A page of a list: `value`, and an absolute `nextLink` while more follows."""
        text = call.option("$skiptoken")
        offset = 0 if text is None else _offset(text)
        if offset is None:
            return arm_error(400, "InvalidSkipToken", "The skip token is invalid.")
        page = rows[offset : offset + self._page_size]
        document: dict[str, Any] = {"value": [shown(row) for row in page]}
        if offset + len(page) < len(rows):
            query = {key: value for key, value in call.query.items() if key.lower() != "$skiptoken"}
            query["$skiptoken"] = base64.urlsafe_b64encode(str(offset + len(page)).encode()).decode()
            document["nextLink"] = f"{self._base_url}{quote(call.path)}?{urlencode(query)}"
        return ok(document, rows=len(page))


def _body(world: World, one: Resource) -> Body:
    """A resource as ARM answers it."""
    if one.key == f"/subscriptions/{one.subscription}":
        return {**one.body, "name": one.body["name"]}
    return one.body


def _shown(world: World, identity: str) -> Body:
    found = world.get(identity)
    if found is None:
        raise KeyError(identity)
    body = dict(found.body)
    if found.key.count("/") == 2 and found.subscription is not None:
        body.pop("type", None)
        body.pop("name", None)
    return body


def _from_index(world: World, found: Resource) -> Answer:
    """`useResourceGraph=true`: the index's older truth, and how old it is."""
    lag = {one.id.lower(): one.merge for one in world.estate.index_lag}
    body = merged(found.body, lag.get(found.key) or {})
    return ok(body, headers={"x-ms-arg-snapshot-timestamp": f"{world.estate.clock:%Y-%m-%dT%H:%M:%S.%f}0Z"})


def _provider(world: World, subscription: str, namespace: str) -> Body:
    types = dict.fromkeys(
        one.body.get("type", one.type) for one in world.resources.values() if one.type.startswith(namespace + "/")
    )
    spelled = next(iter(types), namespace).split("/")[0]
    return {
        "id": f"/subscriptions/{subscription}/providers/{spelled}",
        "namespace": spelled,
        "registrationState": "Registered" if types else "NotRegistered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {"resourceType": kind.partition("/")[2], "locations": [], "apiVersions": []} for kind in types
        ],
    }


def _root_group(world: World) -> Body:
    root = world.estate.tenant_id
    return {
        "id": _group_id(root),
        "type": "Microsoft.Management/managementGroups",
        "name": root,
        "properties": {"tenantId": root, "displayName": "Tenant Root Group", "details": {"version": 1, "parent": None}},
    }


def _group_id(name: str) -> str:
    return f"/providers/Microsoft.Management/managementGroups/{name}"


def _action(call: Call) -> str:
    """The operation that a GET of this path needs: `Microsoft.Network/virtualNetworks/subnets/read`."""
    parts = call.path.strip("/").split("/")
    if "providers" not in call.segments:
        return "Microsoft.Resources/subscriptions/" + ("resourceGroups/read" if len(parts) > 2 else "read")
    return type_of(call.path) + "/read"


def _spelled(call: Call, segment: str) -> str:
    """A segment of the path as the caller wrote it."""
    return next((part for part in call.path.split("/") if part.lower() == segment), segment)


def _forbidden(call: Call, scope: str, action: str) -> Answer:
    who = call.application.object_id
    return arm_error(
        403,
        "AuthorizationFailed",
        f"The client '{who}' with object id '{who}' does not have authorization to perform action '{action}' over "
        f"scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
    )


def _not_found(call: Call) -> Answer:
    parts = call.path.strip("/").split("/")
    kind, name = type_of(call.path), parts[-1]
    if "providers" not in call.segments:
        return arm_error(404, "InvalidResourceType", f"The path '{call.path}' names nothing that is known.")
    group = parts[3] if len(parts) > 3 and parts[2].lower() == "resourcegroups" else ""
    where = f" under resource group '{group}'" if group else ""
    return arm_error(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}'{where} was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
    )


def _parent_not_found(call: Call, parent: str) -> Answer:
    return arm_error(
        404,
        "ParentResourceNotFound",
        f"Failed to perform 'read' on resource(s) of type '{type_of(call.path)}', because the parent resource "
        f"'{parent}' could not be found.",
    )


def _offset(text: str) -> int | None:
    try:
        return int(base64.urlsafe_b64decode(unquote(text).encode()))
    except (ValueError, binascii.Error):
        return None
