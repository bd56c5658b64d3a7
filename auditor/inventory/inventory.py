"""The typed, immutable, indexed resources of one scan, and what may be concluded from their absence."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from auditor.inventory import records, shapes
from auditor.inventory.coverage import Coverage
from auditor.inventory.records import AnyResource, key_of
from auditor.values import Gap, Listing, ResourceId, Unread

R = TypeVar("R", bound=AnyResource)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Configured:
    """What a person told the auditor because Azure does not: see docs/configuration.md.

    `principals` maps application ids to object ids; addresses and prefixes are texts, ids are ARM ids or object ids.
    """

    principals: Mapping[str, str] = field(default_factory=dict)
    registries: tuple[str, ...] = ()
    scoring_addresses: tuple[str, ...] = ()
    scoring_clients: tuple[str, ...] = ()
    deployers: tuple[str, ...] = ()
    aci_subnets: tuple[str, ...] = ()
    attached_only: bool = False


@dataclass(frozen=True, slots=True)
class Malformed:
    """A resource whose data could not be decoded: it exists, but nothing that it says is known."""

    type: str
    id: str
    unread: Unread


class Inventory:
    """All resources of one scan, by type and id. Look-ups answer a record or `Unread`, never None.

    `reason` of an Unread tells what kind it is: `absent` (its scope was read and it is not there), `out-of-scope`,
    `gap`, `forbidden`, `malformed`, `not-an-id`.
    """

    def __init__(
        self,
        *,
        tables: Mapping[type[AnyResource], Mapping[str, AnyResource]],
        malformed: Mapping[str, Malformed],
        coverage: Coverage,
        taken_at: datetime,
        cloud: str | None = None,
        tenant_id: str | None = None,
        scopes: tuple[str, ...] = (),
        gaps: tuple[Gap, ...] = (),
        principals: tuple[shapes.Principal, ...] = (),
        memberships: tuple[shapes.Membership, ...] = (),
        change_rows: tuple[dict[str, Any], ...] = (),
        passed_over: Mapping[str, int] | None = None,
        configured: Configured | None = None,
    ) -> None:
        self._tables = tables
        self._groups: dict[type[AnyResource], dict[str, list[AnyResource]]] = {}
        self._memo: dict[Hashable, Any] = {}
        self.malformed = malformed
        self.coverage = coverage
        self.taken_at = taken_at
        self.cloud = cloud or "public"
        self.cloud_stated = cloud is not None
        self.tenant_id = tenant_id
        self.scopes = scopes
        self.gaps = gaps
        self.principals = principals
        self.memberships = memberships
        self.change_rows = change_rows
        self.passed_over = passed_over or {}
        self.configured = configured or Configured()

    def every(self, kind: type[R]) -> tuple[R, ...]:
        """All decoded resources of one kind, sorted by id. Says nothing of those that were not read."""
        return cast("tuple[R, ...]", tuple(self._tables.get(kind, {}).values()))

    def broken(self, kind: type[AnyResource]) -> tuple[Malformed, ...]:
        """The resources of one kind that exist but could not be decoded."""
        found: tuple[Malformed, ...] = self.remember(
            ("broken", kind), lambda: tuple(m for m in self.malformed.values() if m.type == kind.TYPE)
        )
        return found

    def find(self, kind: type[R], resource_id: str | None) -> R | Unread:
        """One resource by id, whatever its casing."""
        if not resource_id:
            return Unread("", "no id was given", "", "not-an-id")
        key = key_of(resource_id)
        bad = self.malformed.get(key)
        if bad is not None and bad.type == kind.TYPE:
            return bad.unread
        record = self._tables.get(kind, {}).get(key)
        if record is not None:
            return cast("R", record)
        if not key.startswith("/"):
            return Unread(resource_id, "it is not an ARM id", "mend the reference", "not-an-id")
        missing = self.coverage.unread(kind.TYPE, key) or self._parent_malformed(resource_id)
        if missing is not None:
            return missing
        return Unread(
            resource_id,
            "it does not exist in a scope that was read",
            "it may have been deleted or renamed; re-point what refers to it",
            "absent",
        )

    def _parent_malformed(self, resource_id: str) -> Unread | None:
        """Children stand in their parent's body: where that could not be decoded, nothing says that they are absent."""
        try:
            parent = ResourceId.parse(resource_id).parent
        except ValueError:
            return None
        bad = self.malformed.get(parent.key) if parent is not None else None
        return bad.unread if bad is not None else None

    def within(self, kind: type[R], scope: str) -> Listing[R]:
        """All resources of one kind in a resource group, by its ARM id; `missing` says why the list may be short."""
        groups = self._groups.get(kind)
        if groups is None:
            groups = {}
            for record in self._tables.get(kind, {}).values():
                groups.setdefault(key_of(record.resource_group_id or ""), []).append(record)
            self._groups[kind] = groups
        key = key_of(scope)
        items = cast("tuple[R, ...]", tuple(groups.get(key, ())))
        missing = self.coverage.unread(kind.TYPE, key)
        if missing is None:
            for bad in self.broken(kind):
                if key_of(bad.id).startswith(key + "/"):
                    missing = bad.unread
                    break
        return Listing(items, missing)

    def listing(self, kind: type[R], scopes: Iterable[str] = ()) -> Listing[R]:
        """All resources of one kind in the whole inventory; `missing` where any of `scopes` was not wholly read."""
        missing = next((m for scope in scopes if (m := self.coverage.unread(kind.TYPE, key_of(scope)))), None)
        if missing is None:
            missing = next((bad.unread for bad in self.broken(kind)), None)
        return Listing(self.every(kind), missing)

    def remember(self, key: Hashable, compute: Callable[[], T]) -> T:
        """A derived value, computed once an inventory. The inventory is immutable, so the value cannot go stale."""
        try:
            return cast("T", self._memo[key])
        except KeyError:
            value = self._memo[key] = compute()
            return value

    def subscriptions(self) -> tuple[str, ...]:
        """The subscriptions that were read, sorted."""
        return self.remember("subscriptions", lambda: tuple(sorted(self.coverage.subscriptions)))

    def audited(self) -> Iterator[AnyResource]:
        """The resources that findings are about, for counts and for "appeared" and "disappeared"."""
        for kind in AUDITED:
            yield from self.every(kind)

    def counts(self) -> dict[str, int]:
        """How many resources of each audited kind there are."""
        return {word: len(self.every(kind)) for kind, word in AUDITED.items()}


AUDITED: dict[type[AnyResource], str] = {
    records.Cluster: "clusters",
    records.Workspace: "workspaces",
    records.Compute: "computes",
    records.Extension: "extensions",
    records.ContainerGroup: "containerGroups",
    records.VirtualNetwork: "virtualNetworks",
    records.Subnet: "subnets",
    records.SecurityGroup: "networkSecurityGroups",
    records.RouteTable: "routeTables",
    records.LoadBalancer: "loadBalancers",
    records.Registry: "registries",
    records.PrivateEndpoint: "privateEndpoints",
    records.RoleAssignment: "roleAssignments",
}
