"""An estate indexed by id: what lies where, what lies above it, and who may read it.

ARM ids compare without case, so every key here is lower case; bodies keep the casing that the estate wrote.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.replica.estate import Application, Body, Estate

MANAGEMENT_GROUPS = "/providers/microsoft.management/managementgroups/"
AUTHORIZATION = "microsoft.authorization"


@dataclass(frozen=True, slots=True)
class Resource:
    """One addressable thing: its body, and where its id places it (all lower case)."""

    body: Body
    key: str
    type: str
    parent: str
    subscription: str | None
    resource_group: str | None


class World:
    """Everything of one estate that can be asked for by id."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.applications = {one.app_id.lower(): one for one in estate.applications}
        self.subscriptions = {one.id.lower(): one for one in estate.subscriptions}
        self.groups = {one.id.lower(): one for one in estate.management_groups}
        self.resources: dict[str, Resource] = {}
        self._nested: dict[str, Resource] = {}
        self._children: dict[tuple[str, str], list[Resource]] = {}
        self._nested_children: dict[tuple[str, str], list[Resource]] = {}
        self._by_type: dict[tuple[str, str], list[str]] = {}
        self._of_type: dict[str, list[str]] = {}
        self._lines: dict[str | None, tuple[str, ...]] = {
            key: tuple(self._group_line(one.management_group)) for key, one in self.subscriptions.items()
        }
        self._unreadable = frozenset(_scope_key(one) for one in estate.unreadable)
        for body in self._containers():
            self._add(body)
        for body in estate.resources:
            self._add(body)
        self._opened: set[str] = set()
        self._opening = threading.Lock()

    def _containers(self) -> Iterator[Body]:
        """Management groups, subscriptions and resource groups, as far as the estate only implies them."""
        explicit = {body["id"].lower() for body in self.estate.resources}
        for group in self.estate.management_groups:
            body = self.management_group(group.id)
            if body["id"].lower() not in explicit:
                yield body
        for subscription in self.estate.subscriptions:
            if f"/subscriptions/{subscription.id}".lower() not in explicit:
                yield {
                    "id": f"/subscriptions/{subscription.id}",
                    "type": "Microsoft.Resources/subscriptions",
                    "name": subscription.id,
                    "subscriptionId": subscription.id,
                    "tenantId": self.estate.tenant_id,
                    "displayName": subscription.name,
                    "state": "Enabled",
                    "authorizationSource": "RoleBased",
                    "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "spendingLimit": "Off"},
                }
        seen: dict[str, Body] = {}
        for body in self.estate.resources:
            parts = body["id"].split("/")
            if len(parts) < 6 or parts[1].lower() != "subscriptions" or parts[3].lower() != "resourcegroups":
                continue
            group_id = "/".join((*parts[:3], "resourceGroups", parts[4]))
            if group_id.lower() not in seen and group_id.lower() not in explicit:
                seen[group_id.lower()] = {
                    "id": group_id,
                    "type": "Microsoft.Resources/resourceGroups",
                    "name": parts[4],
                    "location": body.get("location") or "global",
                    "properties": {"provisioningState": "Succeeded"},
                }
        yield from seen.values()

    def _add(self, body: Body) -> None:
        resource = _resource(body)
        if resource.key in self.resources:
            return
        self.resources[resource.key] = resource
        self._children.setdefault((resource.parent, resource.key.rsplit("/", 2)[-2]), []).append(resource)
        self._by_type.setdefault((resource.subscription or "", resource.type), []).append(resource.key)
        self._of_type.setdefault(resource.type, []).append(resource.key)

    def _group_line(self, name: str | None) -> Iterator[str]:
        while name is not None:
            yield MANAGEMENT_GROUPS + name.lower()
            name = self.groups[name.lower()].parent

    def get(self, identity: str) -> Resource | None:
        """The resource of this id, whether it stands alone or inside another."""
        key = identity.lower().rstrip("/")
        if key in self.resources:
            return self.resources[key]
        self._open(key)
        return self._nested.get(key)

    def children(self, parent: str, collection: str) -> list[Resource]:
        """What lies right below `parent` in `collection` (`subnets`): alone first, then what is inside it only."""
        place = (parent.lower().rstrip("/"), collection.lower())
        self._open("/".join((*place, "?")))
        return [*self._children.get(place, ()), *self._nested_children.get(place, ())]

    def _open(self, key: str) -> None:
        """Index what the nearest resource above `key` carries inside it; large estates hold too much to do it early."""
        above = parent_of(key)
        while above and above not in self.resources:
            above = parent_of(above) if above.count("/") > 1 else ""
        if not above:
            return
        with self._opening:
            if above in self._opened:
                return
            for body in nested_children(self.resources[above].body):
                child = _resource(body)
                if child.key not in self.resources and child.key not in self._nested:
                    self._nested[child.key] = child
                    place = (child.parent, child.key.rsplit("/", 2)[-2])
                    self._nested_children.setdefault(place, []).append(child)
            self._opened.add(above)

    def of_type(self, kind: str, subscription: str | None = None, resource_group: str | None = None) -> list[Resource]:
        """Every resource of a type that stands alone, of the tenant or of one subscription or resource group."""
        if subscription is None:
            return [self.resources[key] for key in self._of_type.get(kind.lower(), [])]
        found = (self.resources[key] for key in self._by_type.get((subscription.lower(), kind.lower()), []))
        return [one for one in found if resource_group is None or one.resource_group == resource_group.lower()]

    def scopes_of(self, identity: str) -> Iterator[str]:
        """`identity` and every scope above it, up to `/`, all lower case."""
        key = _scope_key(identity)
        parts = key.split("/")
        for length in range(len(parts), 1, -1):
            yield "/".join(parts[:length])
        if len(parts) > 2 and parts[1] == "subscriptions":
            yield from self._lines.get(parts[2], ())
        elif key.startswith(MANAGEMENT_GROUPS):
            group = self.groups.get(key[len(MANAGEMENT_GROUPS) :].split("/")[0])
            if group is not None:
                yield from self._group_line(group.parent)
        yield "/"

    def may_read(self, application: Application, identity: str) -> bool:
        """Whether the application reads what lies at this id: granted at or above it, and nowhere locked away."""
        scopes = set(self.scopes_of(identity))
        if scopes & self._unreadable:
            return False
        return any(_scope_key(granted) in scopes for granted in application.reads)

    def sees_subscription(self, application: Application, subscription: str) -> bool:
        """Whether the subscription shows in the application's list: it reads it, or something inside it."""
        scope = f"/subscriptions/{subscription.lower()}"
        if set(self.scopes_of(scope)) & self._unreadable:
            return False
        inside = any(_scope_key(granted).startswith(scope + "/") for granted in application.reads)
        return inside or self.may_read(application, scope)

    def group_line_of(self, subscription: str | None) -> tuple[str, ...]:
        """The management groups above a subscription, nearest first, as lower-case ids."""
        return self._lines.get(subscription.lower() if subscription else None, ())

    def below_group(self, group: str) -> frozenset[str]:
        """The lower-case names of a management group and of all groups below it."""
        found = {group.lower()}
        grown = True
        while grown:
            more = {one.id.lower() for one in self.groups.values() if (one.parent or "").lower() in found}
            grown = not more <= found
            found |= more
        return frozenset(found)

    def management_group(self, name: str) -> Body:
        """A management group as ARM shows it."""
        group = self.groups[name.lower()]
        parent = group.parent if group.parent is not None else self.estate.tenant_id
        shown = self.groups[parent.lower()].display_name if parent.lower() in self.groups else "Tenant Root Group"
        return {
            "id": f"/providers/Microsoft.Management/managementGroups/{group.id}",
            "type": "Microsoft.Management/managementGroups",
            "name": group.id,
            "properties": {
                "tenantId": self.estate.tenant_id,
                "displayName": group.display_name,
                "details": {
                    "version": 1,
                    "parent": {
                        "id": f"/providers/Microsoft.Management/managementGroups/{parent}",
                        "name": parent,
                        "displayName": shown,
                    },
                },
            },
        }

    def ancestors_chain(self, name: str | None) -> list[Body]:
        """`managementGroupAncestorsChain` as Resource Graph writes it, nearest first, the tenant's root last."""
        line = [self.groups[key.rsplit("/", 1)[1]] for key in self._group_line(name)]
        chain: list[Body] = [{"name": one.id, "displayName": one.display_name} for one in line]
        return [*chain, {"name": self.estate.tenant_id, "displayName": "Tenant Root Group"}]


def _resource(body: Body) -> Resource:
    identity: str = body["id"]
    key = identity.lower().rstrip("/")
    parts = key.split("/")
    subscription = parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else None
    in_group = subscription is not None and len(parts) > 4 and parts[3] == "resourcegroups"
    kind = str(body.get("type") or type_of(identity)).lower()
    return Resource(body, key, kind, parent_of(key), subscription, parts[4] if in_group else None)


def type_of(identity: str) -> str:
    """The resource type that an id spells: `Microsoft.Network/virtualNetworks/subnets`."""
    parts = identity.strip("/").split("/")
    lowered = [part.lower() for part in parts]
    if "providers" not in lowered:
        return "Microsoft.Resources/resourceGroups" if len(parts) > 2 else "Microsoft.Resources/subscriptions"
    last = len(parts) - 1 - lowered[::-1].index("providers")
    return "/".join([*parts[last + 1 : last + 2], *parts[last + 2 :: 2]])


def parent_of(identity: str) -> str:
    """The id that this one lies right below: a parent resource, or the scope before `/providers/`."""
    head = identity.rsplit("/", 2)[0]
    before, word, namespace = head.rpartition("/providers/")
    return before if word and "/" not in namespace else head


def nested_children(body: Mapping[str, Any]) -> Iterator[Body]:
    """The children that a body carries inside it, each as ARM would answer for the child's own id."""
    identity = body["id"]
    properties = body.get("properties")
    if not isinstance(properties, Mapping):
        return
    for name, value in properties.items():
        if not isinstance(value, list):
            continue
        for one in value:
            if not isinstance(one, Mapping):
                continue
            if isinstance(one.get("id"), str) and one["id"].lower().startswith(identity.lower() + "/"):
                child = {"type": type_of(one["id"]), **one}
                yield child
                yield from nested_children(child)
            elif name == "agentPoolProfiles" and isinstance(one.get("name"), str):
                # Pools inside a cluster carry neither id nor `properties`; the pool's own GET has both.
                pool_id = f"{identity}/agentPools/{one['name']}"
                yield {
                    "id": pool_id,
                    "name": one["name"],
                    "type": "Microsoft.ContainerService/managedClusters/agentPools",
                    "properties": {key: inner for key, inner in one.items() if key != "name"},
                }


def _scope_key(scope: str) -> str:
    return scope.lower().rstrip("/") or "/"
