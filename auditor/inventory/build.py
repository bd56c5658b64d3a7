"""Rows to an inventory: decode each body once, merge children, index, and keep what could not be decoded as unread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from auditor.inventory import shapes
from auditor.inventory.coverage import Coverage, mentioned_subscriptions
from auditor.inventory.inventory import Configured, Inventory, Malformed
from auditor.inventory.records import (
    BY_TYPE,
    AnyResource,
    Cluster,
    Peering,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityRule,
    Subnet,
    Subscription,
    VirtualNetwork,
    key_of,
)
from auditor.inventory.rows import HEADER_TYPE, BrokenLine, Header, Row, parse_header
from auditor.inventory.spelling import respell, spelled_oddly
from auditor.values import Gap, ResourceId, Unread

_POOLS = "microsoft.containerservice/managedclusters/agentpools"
_INSIDE = frozenset({_POOLS, *(kind for kinds in shapes.CHILDREN.values() for kind in kinds.values())})
"""Types whose resources are told by their parent's body too."""
_DECODERS = {name: msgspec.json.Decoder(body) for name, body in shapes.BODIES.items()}
_SPECIAL = {name: msgspec.json.Decoder(body) for name, body in shapes.SPECIAL.items()}
_ENVELOPE = msgspec.json.Decoder(shapes.Envelope)


_BODILESS = frozenset(
    {
        "microsoft.network/applicationsecuritygroups",
        "microsoft.network/privatednszones",
        "microsoft.containerregistry/registries/replications",
        "microsoft.resources/subscriptions",
        "microsoft.resources/subscriptions/resourcegroups",
    }
)
"""Types of which the existence tells enough, so that a row without `properties` is not a loss."""


class _Start(msgspec.Struct, frozen=True):
    """The least that a row must say to be one."""

    type: str = ""
    id: str = ""


_START = msgspec.json.Decoder(_Start)


@dataclass(slots=True)
class Builder:
    """Takes rows one by one and gives the inventory. `broken` collects the lines that hold no resource."""

    configured: Configured = field(default_factory=Configured)
    header: Header | None = None
    broken: list[BrokenLine] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    change_rows: list[dict[str, Any]] = field(default_factory=list)
    _overridden: set[str] = field(default_factory=set)
    _records: dict[type[AnyResource], dict[str, AnyResource]] = field(default_factory=dict)
    _malformed: dict[str, Malformed] = field(default_factory=dict)
    _pools: dict[str, dict[str, shapes.AgentPool]] = field(default_factory=dict)
    _nested: set[str] = field(default_factory=set)
    _subnets: dict[str, dict[str, Subnet]] = field(default_factory=dict)
    _peerings: dict[str, dict[str, Peering]] = field(default_factory=dict)
    _rules: dict[str, dict[str, SecurityRule]] = field(default_factory=dict)
    _defaults: dict[str, dict[str, SecurityRule]] = field(default_factory=dict)
    _routes: dict[str, dict[str, Route]] = field(default_factory=dict)
    _principals: list[shapes.Principal] = field(default_factory=list)
    _memberships: list[shapes.Membership] = field(default_factory=list)
    _permissions: list[shapes.Permissions] = field(default_factory=list)

    def add_all(self, rows: Iterable[Row | BrokenLine], source: str) -> None:
        """Take all rows of one source."""
        for row in rows:
            if isinstance(row, BrokenLine):
                self.broken.append(row)
            else:
                self.add(row.raw, source, row.number)

    def override(self, resource_id: str, raw: bytes | None, source: str = "") -> None:
        """Let this row stand for the resource and for all that its body tells (None: it is gone), whatever comes later.

        Comes before the rows that it overrides. Rows of its subnets, rules, routes and pools are passed over from then
        on: the newer body tells them all.
        """
        if raw is not None:
            self.add(raw, source)
        self._overridden.add(ResourceId.parse(resource_id).key)

    def _is_overridden(self, resource: ResourceId, row_type: str) -> bool:
        if not self._overridden:
            return False
        parent = resource.parent if row_type in _INSIDE else None
        return resource.key in self._overridden or (parent is not None and parent.key in self._overridden)

    def add(self, raw: bytes, source: str = "", number: int = 0) -> None:
        """Take one row: one JSON object."""
        try:
            start = _START.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            self.broken.append(BrokenLine(source, number, _broken(raw, problem)))
            return
        row_type = start.type.casefold()
        if row_type.startswith("auditor/"):
            self._add_special(row_type, raw, source, number)
            return
        try:
            parsed = ResourceId.parse(start.id)
        except ValueError:
            what = f"id {start.id[:60]!r} is not an ARM id" if start.id else "no `id`: not an ARM resource"
            self.broken.append(BrokenLine(source, number, what))
            return
        row_type = row_type or parsed.type
        if row_type == "microsoft.resources/subscriptions" and parsed.type != row_type:
            row_type = parsed.type
        if row_type not in _DECODERS:
            self.passed_over[row_type] += 1
            return
        if self._is_overridden(parsed, row_type):
            return
        self._add_resource(row_type, parsed, raw)

    def _add_special(self, row_type: str, raw: bytes, source: str, number: int) -> None:
        if row_type == HEADER_TYPE:
            if self.header is not None and self.header.scopes is not None:
                extra = parse_header(raw, source)
                self.header = _joined(self.header, extra)
            else:
                self.header = parse_header(raw, source)
            return
        if row_type == "auditor/change":
            self.change_rows.append(msgspec.json.decode(raw))
            return
        decoder = _SPECIAL.get(row_type)
        if decoder is None:
            self.passed_over[row_type] += 1
            return
        try:
            value = decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            self.broken.append(BrokenLine(source, number, f"{row_type}: {problem}"))
            return
        match value:
            case shapes.Principal():
                self._principals.append(value)
            case shapes.Membership():
                self._memberships.append(value)
            case shapes.Permissions():
                self._permissions.append(value)
            case _:
                self.passed_over[row_type] += 1

    def _add_resource(self, row_type: str, parsed: ResourceId, raw: bytes) -> None:
        try:
            if not raw.isascii():
                # What is decoded late or never (`msgspec.Raw`) would break wherever it is looked at first.
                raw.decode()
            envelope = _ENVELOPE.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            self._mark(row_type, parsed.text, str(problem))
            return
        body = self._body(row_type, parsed.text, envelope.properties)
        if body is None:
            return
        if row_type == _POOLS:
            self._add_pool(parsed, envelope, body)
            return
        kind = BY_TYPE[row_type]
        record = kind(
            id=parsed.text,
            key=parsed.key,
            name=envelope.name or parsed.name,
            body=body,
            location=envelope.location or None,
            kind=envelope.kind or None,
            sku=envelope.sku if isinstance(envelope.sku, str) else (envelope.sku.name if envelope.sku else None),
            tags=envelope.tags or {},
            identity=envelope.identity,
            managed_by=envelope.managed_by or None,
        )
        self._keep(kind, record)
        match record:
            case VirtualNetwork():
                self._nest(record, record.body.subnets, Subnet, "subnets", self._subnets)
                self._nest(
                    record,
                    record.body.virtual_network_peerings,
                    Peering,
                    "virtualNetworkPeerings",
                    self._peerings,
                )
            case SecurityGroup():
                self._nest(record, record.body.security_rules, SecurityRule, "securityRules", self._rules)
                self._nest(
                    record,
                    record.body.default_security_rules,
                    SecurityRule,
                    "defaultSecurityRules",
                    self._defaults,
                )
            case RouteTable():
                self._nest(record, record.body.routes, Route, "routes", self._routes)
            case Subnet():
                self._child(self._subnets, record)
            case Peering():
                self._child(self._peerings, record)
            case SecurityRule():
                defaults = "/defaultsecurityrules/" in record.key
                self._child(self._defaults if defaults else self._rules, record)
            case Route():
                self._child(self._routes, record)
            case _:
                pass

    def _body(self, row_type: str, resource_id: str, raw: msgspec.Raw) -> Any:
        """The typed body, or None after marking the resource malformed.

        A row without `properties` is a shortened one: a security group read from it would be one without rules.
        """
        content = bytes(raw)
        if content == b"null":
            if row_type not in _BODILESS:
                self._mark(row_type, resource_id, "properties are missing")
                return None
            content = b"{}"
        try:
            if spelled_oddly(row_type, content):
                # Encoded again, because children stay raw until their own decoder wants them.
                content = msgspec.json.encode(respell(row_type, msgspec.json.decode(content)))
            return _DECODERS[row_type].decode(content)
        except (msgspec.DecodeError, RecursionError) as problem:
            self._mark(row_type, resource_id, str(problem).replace("$", "properties", 1))
            return None

    def _mark(self, row_type: str, resource_id: str, problem: str) -> None:
        self._malformed[key_of(resource_id)] = Malformed(
            row_type,
            resource_id,
            Unread(
                resource_id,
                f"its data do not have the shape that Azure documents: {problem}",
                "collect again; if it persists, `az resource show --ids ID` shows what Azure returns",
                "malformed",
            ),
        )

    def _keep(self, kind: type[AnyResource], record: AnyResource) -> None:
        table = self._records.setdefault(kind, {})
        known = table.get(record.key)
        if known is not None and record.key not in self._nested and not _same(known, record):
            self._mark(kind.TYPE, record.id, "two rows for it say different things")
            return
        self._nested.discard(record.key)
        if known is not None and _says_more(known, record):
            return
        table[record.key] = record

    def _nest(
        self,
        parent: AnyResource,
        children: list[shapes.Child] | None,
        kind: type[AnyResource],
        word: str,
        index: dict[str, dict[str, Any]],
    ) -> None:
        mine = index.setdefault(parent.key, {})
        seen: dict[str, AnyResource] = {}
        for place, child in enumerate(children or ()):
            if not child.id and not child.name:
                self._mark(parent.type, parent.id, f"properties.{word}[{place}] has neither id nor name")
                continue
            resource_id = child.id or f"{parent.id}/{word}/{child.name}"
            body = self._body(kind.TYPE, resource_id, child.properties)
            if body is None:
                self._mark(parent.type, parent.id, f"properties.{word}[{place}] is malformed")
                continue
            record = kind(
                id=resource_id,
                key=key_of(resource_id),
                name=child.name or resource_id.rsplit("/", 1)[-1],
                body=body,
                location=parent.location,
            )
            table = self._records.setdefault(kind, {})
            alone = table.get(record.key)
            if alone is None:
                table[record.key] = record
                self._nested.add(record.key)
            elif record.key in seen and not _same(seen[record.key], record):
                self._mark(parent.type, parent.id, f"properties.{word} names {record.name} twice")
            elif not _same(alone, record):
                self._mark(kind.TYPE, record.id, "its own row and its parent's body say different things")
                self._mark(parent.type, parent.id, f"properties.{word}[{place}] contradicts the row of {record.name}")
            seen[record.key] = record
            mine[record.key] = table[record.key]

    def _child(self, index: dict[str, dict[str, Any]], record: AnyResource) -> None:
        parent = record.resource_id.parent
        if parent is None:
            return
        mine = index.setdefault(parent.key, {})
        nested = mine.get(record.key)
        if nested is not None and not _same(nested, record):
            self._mark(record.type, record.id, "its own row and its parent's body say different things")
            self._mark(parent.type, parent.text, f"its body contradicts the row of {record.name}")
        mine[record.key] = record

    def _add_pool(self, parsed: ResourceId, envelope: shapes.Envelope, body: shapes.AgentPool) -> None:
        parent = parsed.parent
        if parent is None:
            return
        name = envelope.name or parsed.name
        pools = self._pools.setdefault(parent.key, {})
        pools[name.casefold()] = msgspec.structs.replace(body, name=name)

    def build(self, *, now: datetime | None = None, subscriptions: Iterable[str] | None = None) -> Inventory:
        """The inventory of all rows taken. `subscriptions` overrides what the header calls covered."""
        self._join_children()
        header = self.header or Header()
        covered = frozenset(subscriptions) if subscriptions is not None else self._covered(header)
        coverage = Coverage(
            covered,
            header.gaps,
            tuple((p.scope or "", tuple(p.permissions or ())) for p in self._permissions if p.scope),
        )
        for kind, table in self._records.items():
            for key in [key for key in table if key in self._malformed and self._malformed[key].type == kind.TYPE]:
                del table[key]
        return Inventory(
            tables={kind: dict(sorted(table.items())) for kind, table in self._records.items()},
            malformed=dict(sorted(self._malformed.items())),
            coverage=coverage,
            taken_at=header.taken_at or now or datetime.now(UTC),
            cloud=header.cloud,
            tenant_id=header.tenant_id,
            scopes=self._scopes(header, covered),
            gaps=header.gaps,
            principals=tuple(self._principals),
            memberships=tuple(self._memberships),
            change_rows=tuple(self.change_rows),
            passed_over=dict(sorted(self.passed_over.items())),
            configured=self.configured,
        )

    def _join_children(self) -> None:
        """Fold children into their parents: both spellings, nested and stand-alone, end in the same record."""
        clusters = self._records.get(Cluster, {})
        for key, pools in self._pools.items():
            cluster = clusters.get(key)
            if isinstance(cluster, Cluster):
                clusters[key] = self._with_pools(cluster, pools)
        for kind in (VirtualNetwork, SecurityGroup, RouteTable):
            table = self._records.get(kind, {})
            for key, record in table.items():
                table[key] = self._with_children(key, record)

    def _with_children(self, key: str, record: AnyResource) -> AnyResource:
        match record:
            case VirtualNetwork():
                return replace(
                    record,
                    subnets=_sorted(self._subnets.get(key, {})),
                    peerings=_sorted(self._peerings.get(key, {})),
                )
            case SecurityGroup():
                return replace(
                    record, rules=_sorted(self._rules.get(key, {})), defaults=_sorted(self._defaults.get(key, {}))
                )
            case RouteTable():
                return replace(record, routes=_sorted(self._routes.get(key, {})))
            case _:
                return record

    def _with_pools(self, cluster: Cluster, alone: dict[str, shapes.AgentPool]) -> Cluster:
        nested = {(pool.name or "").casefold(): pool for pool in cluster.pools}
        for name, pool in alone.items():
            known = nested.get(name)
            if known is not None and _plain(known) != _plain(pool):
                self._mark(cluster.type, cluster.id, f"agent pool {pool.name} and the cluster's body contradict")
            nested[name] = pool
        body = msgspec.structs.replace(cluster.body, agent_pool_profiles=[nested[name] for name in sorted(nested)])
        return Cluster(**{f.name: getattr(cluster, f.name) for f in fields(cluster) if f.name != "body"}, body=body)

    def _covered(self, header: Header) -> frozenset[str]:
        mentioned = mentioned_subscriptions(
            [key for table in self._records.values() for key in table] + list(self._malformed)
        )
        if header.scopes is None:
            return mentioned
        named = mentioned_subscriptions(header.scopes)
        groups = {s.rsplit("/", 1)[-1].casefold() for s in header.scopes if "/managementgroups/" in s.casefold()}
        everything = "/" in header.scopes
        below = {
            record.subscription_id or ""
            for record in self._records.get(Subscription, {}).values()
            if everything or groups & _chain(record)
        }
        unread = {
            key_of(gap.scope).removeprefix("/subscriptions/")
            for gap in header.gaps
            if gap.what == "*" and key_of(gap.scope).count("/") == 2
        }
        return frozenset((named | below) - unread - {""})

    def _scopes(self, header: Header, covered: frozenset[str]) -> tuple[str, ...]:
        if header.scopes is not None:
            return header.scopes
        return tuple(sorted(f"/subscriptions/{subscription}" for subscription in covered))


def _chain(record: AnyResource) -> set[str]:
    return {(group.name or "").casefold() for group in record.body.management_group_ancestors_chain or ()}


def _sorted(children: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(children[key] for key in sorted(children))


def _joined(one: Header, other: Header) -> Header:
    """Several snapshots as one: scopes and gaps united, the older time stands."""
    times = [t for t in (one.taken_at, other.taken_at) if t]
    return Header(
        min(times) if times else None,
        one.cloud or other.cloud,
        one.tenant_id or other.tenant_id,
        tuple(dict.fromkeys((*(one.scopes or ()), *(other.scopes or ())))),
        tuple(dict.fromkeys((*one.gaps, *other.gaps))),
    )


def _same(one: AnyResource, other: AnyResource) -> bool:
    """Whether two records say the same, spelling of ids and empty values aside."""
    if one.body == other.body:
        return True
    normal: bool = _plain(one.body) == _plain(other.body)
    return normal


def _says_more(one: AnyResource, other: AnyResource) -> bool:
    """Whether `one` shows that an assignment has no condition, where `other`, an index's row, leaves it out."""
    return isinstance(one.body, shapes.RoleAssignment) and (
        one.body.condition is not msgspec.UNSET and other.body.condition is msgspec.UNSET
    )


def _plain(body: shapes.Shape) -> Any:
    """A body as plain values in one spelling. By way of JSON, since children are still raw in it."""
    return _normal(msgspec.json.decode(msgspec.json.encode(body)))


def _normal(value: Any) -> Any:
    match value:
        case dict():
            items = {k.casefold(): _normal(v) for k, v in value.items()}
            return {k: v for k, v in items.items() if v not in (None, "", [], {})}
        case list():
            return [_normal(item) for item in value]
        case str():
            return value.casefold()
        case _:
            return value


def _broken(raw: bytes, problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return "nested too deeply"
    if not raw.rstrip().endswith(b"}"):
        return f"not a JSON object (it ends after {len(raw):,} bytes); the file looks cut off"
    return f"not an ARM resource ({problem})"


def gaps_for_broken(broken: Iterable[BrokenLine]) -> tuple[Gap, ...]:
    """The gap that broken lines leave behind when a scan goes on without them."""
    lines = list(broken)
    if not lines:
        return ()
    first = lines[0]
    return (
        Gap(
            "/",
            "*",
            f"{len(lines)} broken line(s) in the snapshot were skipped; the first is {first}",
            "collect again: what stood there is not known, so nothing that depends on it may pass",
        ),
    )
