"""Resource Graph: its tables built once from an estate, and queries executed over them.

Every table has the same columns, as the service's. Rows carry, beside them, where they lie and which applications may
see them; each scope that is asked for gets a schema of views that show the visible columns of the visible rows, so a
query never learns what it may not read.
"""

# ruff: noqa: S608 -- what is put into SQL here are names of our own making; values travel as parameters.

import json
import re
import tempfile
import threading
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditor.replica import language
from auditor.replica.answers import Answer, arm_error
from auditor.replica.certificates import missing_extra
from auditor.replica.estate import Application, Body, merged
from auditor.replica.query_request import PAGE_MOST, Asked, BadRequest, place_of, read_request, token_for
from auditor.replica.tables import CONTAINERS, table_of
from auditor.replica.world import World, parent_of

SUBSCRIPTIONS_MOST = 10_000
RESPONSE_MOST_BYTES = 16 * 1024 * 1024
_TEXTS = ("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy")
_DYNAMICS = ("sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation")
COLUMNS = (*_TEXTS, *_DYNAMICS)
_KEPT_SCOPES, _KEPT_RESULTS = 16, 8


class Evaluator:
    """The tables of one world, and the results of the queries that are being paged through."""

    def __init__(
        self, world: World, *, subscription_limit: int = SUBSCRIPTIONS_MOST, page_size: int = PAGE_MOST
    ) -> None:
        try:
            import duckdb
            import duckdb_kql
            from duckdb_kql.errors import KqlError
            from duckdb_kql.translate.functions import SCALAR_FUNCTIONS, FunctionSpec
        except ImportError as problem:
            raise missing_extra("duckdb-kql") from problem

        # Kusto's hash() is unknown to the translator. Its values are documented as not to be relied upon; what counts
        # is that equal texts fall into the same part. Kusto's `%` is never negative, so a positive number will do.
        SCALAR_FUNCTIONS.setdefault("hash", FunctionSpec("hash", "template", "kql_hash({})"))
        self._world = world
        self._to_sql = duckdb_kql.to_sql
        self._problems: tuple[type[Exception], ...] = (duckdb.Error,)
        self._refusals: type[Exception] = KqlError
        self._subscription_limit = subscription_limit
        self._page_size = page_size
        self._lock = threading.Lock()
        self._tables = language.TABLES - world.estate.lacks_tables
        self._applications = {one.app_id.lower(): at for at, one in enumerate(world.estate.applications)}
        self._scopes: OrderedDict[tuple[Any, ...], tuple[str, bool]] = OrderedDict()
        self._results: OrderedDict[tuple[str, str], tuple[str, int]] = OrderedDict()
        self._made = 0
        self._seen: dict[str, int] = {}
        granted = [*world.estate.unreadable, *(scope for one in world.estate.applications for scope in one.reads)]
        # Unless a right ends below resource groups, all that lies in one is seen by the same applications.
        self._fine_grained = any(scope.strip("/").count("/") > 3 for scope in granted)
        self._connection = duckdb_kql.connect()
        self._connection.execute("SET threads = 2")
        self._connection.execute("CREATE MACRO kql_hash(v) AS CAST(hash(CAST(v AS VARCHAR)) >> 1 AS BIGINT)")
        self._connection.execute(
            "CREATE OR REPLACE MACRO kql_hash(v) AS CAST(hash(CAST(v AS VARCHAR)) >> 1 AS BIGINT), "
            "(v, m) AS CAST((hash(CAST(v AS VARCHAR)) >> 1) % m AS BIGINT)"
        )
        self._build()

    def close(self) -> None:
        """Give the tables' memory back."""
        with self._lock:
            self._connection.close()

    def _build(self) -> None:
        types = dict.fromkeys(_TEXTS, "VARCHAR") | dict.fromkeys(_DYNAMICS, "JSON")
        types |= {
            "_table": "VARCHAR",
            "_scope": "VARCHAR",
            "_subscription": "VARCHAR",
            "_group": "VARCHAR",
            "_seen": "BIGINT",
            "_at": "BIGINT",
        }
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
        with tempfile.TemporaryDirectory(prefix="auditor-replica-") as folder:
            path = Path(folder) / "rows.jsonl"
            with path.open("w", encoding="utf-8") as lines:
                encode = json.JSONEncoder(ensure_ascii=False).encode
                lines.writelines(encode(row) + "\n" for row in self._rows())
            quoted = str(path).replace("'", "''")
            self._connection.execute(
                f"CREATE TABLE rows AS SELECT * FROM read_json('{quoted}', format='newline_delimited', "
                f"columns={{{columns}}}, maximum_object_size=67108864) ORDER BY _at"
            )
        for table in language.TABLES:
            self._connection.execute(
                f"CREATE TABLE t_{table} AS SELECT * EXCLUDE (_table) FROM rows WHERE _table = '{table}'"
            )
        self._connection.execute("DROP TABLE rows")

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        lag = {one.id.lower(): one.merge for one in self._world.estate.index_lag}
        at = 0
        for resource in self._world.resources.values():
            kind = _index_type(resource.type)
            table = table_of(kind)
            if table is None:
                continue
            body = self._indexed(resource.body, kind)
            if resource.key in lag:
                behind = lag[resource.key]
                if behind is None:
                    continue
                body = merged(body, behind)
            yield self._row(body, kind, table, at)
            at += 1
        for change in self._world.estate.changes:
            kind = str(change.get("type", "microsoft.resources/changes")).lower()
            target = str(_inside(change, "properties", "targetResourceType") or "").lower()
            table = "resourcecontainerchanges" if target in CONTAINERS else "resourcechanges"
            yield self._row(change, kind, table, at)
            at += 1

    def _indexed(self, body: Body, kind: str) -> Body:
        """A body as the index holds it, which for containers is not what ARM answers."""
        if kind == "microsoft.resources/subscriptions":
            guid = body["id"].rsplit("/", 1)[1]
            known = self._world.subscriptions.get(guid.lower())
            properties = {
                "managementGroupAncestorsChain": self._world.ancestors_chain(known.management_group if known else None),
                "state": body.get("state", "Enabled"),
                "subscriptionPolicies": body.get("subscriptionPolicies"),
            }
            return {**body, "name": body.get("displayName", guid), "subscriptionId": guid, "properties": properties}
        if kind == "microsoft.management/managementgroups":
            known_group = self._world.groups.get(str(body["name"]).lower())
            chain = self._world.ancestors_chain(known_group.parent if known_group else None)
            properties = dict(body.get("properties") or {})
            properties["details"] = {**(properties.get("details") or {}), "managementGroupAncestorsChain": chain}
            return {**body, "properties": properties}
        return body

    def _row(self, body: Body, kind: str, table: str, at: int) -> Mapping[str, Any]:
        identity: str = body["id"]
        parts = identity.split("/")
        lowered = [part.lower() for part in parts]
        in_subscription = len(parts) > 2 and lowered[1] == "subscriptions"
        in_group = in_subscription and len(parts) > 4 and lowered[3] == "resourcegroups"
        row: dict[str, Any] = {name: body.get(name) for name in _DYNAMICS}
        row |= {
            # Resource Graph keeps the casing of an id's creation, which often spelled this one segment small.
            "id": _odd_casing(identity) if in_group else identity,
            "name": str(body.get("name") or parts[-1]),
            "type": kind,
            "tenantId": self._world.estate.tenant_id,
            "kind": str(body.get("kind") or ""),
            "location": str(body.get("location") or ""),
            "resourceGroup": lowered[4] if in_group else str(body.get("resourceGroup") or "").lower(),
            "subscriptionId": parts[2] if in_subscription else str(body.get("subscriptionId") or ""),
            "managedBy": str(body.get("managedBy") or ""),
            "_table": table,
            "_subscription": lowered[2] if in_subscription else None,
            "_group": _management_group_of(identity),
            "_scope": str(_inside(body, "properties", "scope") or parent_of(identity) or "/").lower().rstrip("/")
            or "/",
            "_seen": self._seen_by(identity, kind),
            "_at": at,
        }
        return row

    def _seen_by(self, identity: str, kind: str) -> int:
        """A bit for each application that may read this row, in the estate's order."""
        if kind == "microsoft.resources/subscriptions":
            subscription = identity.rsplit("/", 1)[1]
            return _bits(self._world.sees_subscription(one, subscription) for one in self._world.estate.applications)
        if kind == "microsoft.authorization/roledefinitions" and identity.count("/") < 5:
            # Built-in role definitions belong to no scope: whoever reads anything reads them.
            return _bits(bool(one.reads) for one in self._world.estate.applications)
        container = identity if self._fine_grained else "/".join(identity.lower().split("/", 5)[:5])
        if container not in self._seen:
            seen = (self._world.may_read(one, container) for one in self._world.estate.applications)
            self._seen[container] = _bits(seen)
        return self._seen[container]

    def answer(self, application: Application, body: bytes, api_version: str) -> tuple[Answer, str, str]:
        """Execute a query request; the tables it names and its text come back beside the answer."""
        try:
            asked = read_request(body, self._page_size, api_version)
            query = language.read(asked.query, self._tables)
        except BadRequest as problem:
            return _bad_request([(problem.code, problem.message)]), "", ""
        except language.Refused as problem:
            return _invalid_query(problem.code, problem.message), "", _query_text(body)
        tables = ",".join(dict.fromkeys(query.tables))
        for name in asked.management_groups or ():
            if name.lower() not in self._world.groups and name.lower() != self._world.estate.tenant_id.lower():
                return (
                    arm_error(
                        403,
                        "AuthorizationFailed",
                        f"The client '{application.object_id}' with object id '{application.object_id}' does not have "
                        "authorization to perform action 'Microsoft.ResourceGraph/resources/read' over scope "
                        f"'/providers/Microsoft.Management/managementGroups/{name}' or the scope is invalid. If access "
                        "was recently granted, please refresh your credentials.",
                    ),
                    tables,
                    asked.query,
                )
        with self._lock:
            try:
                answer = self._execute(application, asked, query)
            except self._refusals as problem:
                answer = self._not_understood(problem)
            except self._problems as problem:
                answer = _invalid_query("QueryExecutionFailure", str(problem).splitlines()[0])
        return answer, tables, asked.query

    def _not_understood(self, problem: Exception) -> Answer:
        if type(problem).__name__ == "KqlUnsupportedError":
            # Perhaps the service would answer: that the replica cannot is no word of Resource Graph's.
            return arm_error(501, "ReplicaCannotEvaluate", str(problem).splitlines()[0])
        return _invalid_query("ParserFailure", str(problem).splitlines()[0])

    def _execute(self, application: Application, asked: Asked, query: language.Query) -> Answer:
        schema, cut = self._scope(application, asked)
        offset, top = (asked.skip, asked.top) if asked.token is None else place_of(asked.token)
        if offset < 0:
            return _bad_request([("InvalidSkipToken", "The skip token is invalid.")])
        top = asked.top if asked.top_given else top
        result, total = self._result(schema, query)
        begin = offset
        if asked.token is not None and not query.sorted and offset < total:
            # Unless sorted, pages repeat and lose rows even in a still estate: one row is seen twice, one never.
            begin = offset - 1
        columns, rows = self._page(result, begin, min(top, total - offset))
        following = offset + len(rows)
        more = following < total
        token = token_for(following, top) if more and not query.limited and _pageable(columns) else None
        names = [name for name, _ in columns]
        if asked.as_table:
            listed = ",".join("[" + ",".join(row) + "]" for row in rows)
            described = json.dumps([{"name": name, "type": kind} for name, kind in columns])
            data = f'{{"columns":{described},"rows":[{listed}]}}'
        else:
            keys = [json.dumps(name) + ":" for name in names]
            data = "[" + ",".join("{" + ",".join(map(str.__add__, keys, row)) + "}" for row in rows) + "]"
        document = f'{{"totalRecords":{total},"count":{len(rows)},"data":{data},"facets":[],'
        document += f'"resultTruncated":"{"true" if more and token is None else "false"}"'
        document += f',"$skipToken":{json.dumps(token)}}}' if token is not None else "}"
        encoded = document.encode()
        if len(encoded) > RESPONSE_MOST_BYTES:
            text = (
                f"Response payload size is {len(encoded)}, and has exceeded the limit of {RESPONSE_MOST_BYTES}. Please "
                "consider querying less data at a time and make paginated calls if needed."
            )
            return _bad_request([("ResponsePayloadTooLarge", text)])
        headers = {"x-ms-tenant-subscription-limit-hit": "true"} if cut else {}
        return Answer(200, encoded, headers, rows=len(rows))

    def _scope(self, application: Application, asked: Asked) -> tuple[str, bool]:
        """The schema whose views show what this request may see, and whether subscriptions were left out."""
        key = (application.app_id, asked.subscriptions, asked.management_groups, asked.authorization_filter)
        known = self._scopes.get(key)
        if known is not None:
            self._scopes.move_to_end(key)
            return known
        self._made += 1
        schema = f"scope_{self._made}"
        subscriptions, groups, tenant = self._asked_for(application, asked)
        cut = asked.subscriptions is None and len(subscriptions) > self._subscription_limit
        subscriptions = subscriptions[: self._subscription_limit] if cut else subscriptions
        beside = self._scopes_beside(application, asked)
        self._connection.execute(f"CREATE SCHEMA {schema}")
        self._fill(f"{schema}.subscriptions", subscriptions)
        self._fill(f"{schema}.groups", sorted(groups))
        self._fill(f"{schema}.beside", sorted(beside))
        bit = self._applications[application.app_id.lower()]
        shown = ", ".join(f'"{name}"' for name in COLUMNS)
        seen = f"((_seen >> {bit}) & 1) = 1"
        below = asked.authorization_filter in ("AtScopeAndBelow", "AtScopeAboveAndBelow")
        for table in language.TABLES:
            inside = [f"_subscription IN (FROM {schema}.subscriptions)", f"_group IN (FROM {schema}.groups)"]
            if tenant or table == "authorizationresources":
                # What lies at the tenant's root, and role definitions that belong to no scope.
                root = "_subscription IS NULL AND _group IS NULL"
                inside.append(root if tenant else f"({root} AND type = 'microsoft.authorization/roledefinitions')")
            where = f"{seen} AND ({' OR '.join(inside)})"
            if table == "authorizationresources" and beside:
                # Whoever reads at a scope sees there what is inherited from scopes that he may not read.
                there = f"_scope IN (FROM {schema}.beside)"
                where = f"({where}) OR {there}" if below else there
            self._connection.execute(f"CREATE VIEW {schema}.{table} AS SELECT {shown} FROM t_{table} WHERE {where}")
        self._scopes[key] = (schema, cut)
        if len(self._scopes) > _KEPT_SCOPES:
            _, (old, _cut) = self._scopes.popitem(last=False)
            for result in [one for one in self._results if one[0] == old]:
                self._connection.execute(f"DROP TABLE {self._results.pop(result)[0]}")
            self._connection.execute(f"DROP SCHEMA {old} CASCADE")
        return schema, cut

    def _asked_for(self, application: Application, asked: Asked) -> tuple[list[str], frozenset[str], bool]:
        """Lower-case subscription ids and management group names of the scope; whether it is the whole tenant."""
        world = self._world
        if asked.subscriptions is not None:
            return [one.lower() for one in asked.subscriptions], frozenset(), False
        root = world.estate.tenant_id.lower()
        if asked.management_groups is None or any(one.lower() == root for one in asked.management_groups):
            return list(world.subscriptions), frozenset(world.groups), True
        groups = frozenset().union(*(world.below_group(one) for one in asked.management_groups))
        found = [key for key, one in world.subscriptions.items() if (one.indexed_below or "").lower() in groups]
        return found, groups, False

    def _scopes_beside(self, application: Application, asked: Asked) -> frozenset[str]:
        """The scopes whose own assignments the authorization filter adds: those above, those asked for, or none."""
        if asked.authorization_filter == "AtScopeAndBelow":
            return frozenset()
        groups = [f"/providers/Microsoft.Management/managementGroups/{one}" for one in asked.management_groups or ()]
        asked_for = [*(f"/subscriptions/{one}" for one in asked.subscriptions or ()), *groups]
        readable = [one for one in asked_for if self._world.may_read(application, one)]
        if asked.authorization_filter == "AtScopeExact":
            return frozenset(one.lower() for one in readable)
        return frozenset(scope for one in readable for scope in self._world.scopes_of(one))

    def _fill(self, table: str, values: Sequence[str]) -> None:
        self._connection.execute(f"CREATE TABLE {table} AS SELECT unnest($1::VARCHAR[]) AS key", [list(values)])

    def _result(self, schema: str, query: language.Query) -> tuple[str, int]:
        """A table that holds the whole answer of a query in its order, and its number of rows."""
        key = (schema, query.text)
        known = self._results.get(key)
        if known is not None:
            self._results.move_to_end(key)
            return known
        columns = {f"{schema}.{table}": list(COLUMNS) for table in language.TABLES}
        statement = self._to_sql(
            query.text, schema=columns, database=schema, allow_write=False, query_now=self._world.estate.clock
        )
        self._made += 1
        name = f"result_{self._made}"
        self._connection.execute(f"CREATE TABLE {name} AS {statement}", dict(statement.parameters) or None)
        [(total,)] = self._connection.execute(f"SELECT count(*) FROM {name}").fetchall()
        self._results[key] = (name, total)
        if len(self._results) > _KEPT_RESULTS:
            self._connection.execute(f"DROP TABLE {self._results.popitem(last=False)[1][0]}")
        return name, total

    def _page(self, table: str, offset: int, count: int) -> tuple[list[tuple[str, str]], list[list[str]]]:
        """Columns with their Resource Graph types, and rows whose cells are JSON texts already."""
        cursor = self._connection.execute(f"SELECT * FROM {table} LIMIT 0")
        types = [(str(name), str(kind)) for name, kind, *_ in cursor.description]
        cells = ", ".join(_cell(name, kind) for name, kind in types)
        rows = self._connection.execute(
            f"SELECT {cells} FROM {table} WHERE rowid >= {offset} AND rowid < {offset + max(count, 0)} ORDER BY rowid"
        ).fetchall()
        return [(name, _column_type(kind)) for name, kind in types], [list(row) for row in rows]


def _bits(flags: Iterable[bool]) -> int:
    return sum(flag << at for at, flag in enumerate(flags))


def _cell(name: str, kind: str) -> str:
    """SQL for one column as JSON text: a string never null, as Kusto's."""
    quoted = '"' + name.replace('"', '""') + '"'
    if kind == "VARCHAR":
        return f"CAST(to_json(coalesce({quoted}, '')) AS VARCHAR)"
    if kind.startswith("TIMESTAMP"):
        return f"coalesce('\"' || strftime({quoted}, '%Y-%m-%dT%H:%M:%S.%f') || '0Z\"', 'null')"
    if kind == "JSON":
        return f"coalesce(CAST({quoted} AS VARCHAR), 'null')"
    return f"coalesce(CAST(to_json({quoted}) AS VARCHAR), 'null')"


def _column_type(kind: str) -> str:
    if kind in ("BIGINT", "INTEGER", "HUGEINT", "UBIGINT", "SMALLINT"):
        return "integer"
    if kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        return "number"
    if kind.startswith("TIMESTAMP"):
        return "datetime"
    return {"VARCHAR": "string", "BOOLEAN": "boolean"}.get(kind, "object")


def _pageable(columns: Sequence[tuple[str, str]]) -> bool:
    """No `$skipToken` if all output columns are dynamic (`paging-results.md`)."""
    return any(kind != "object" for _, kind in columns)


def _bad_request(details: Sequence[tuple[str, str]]) -> Answer:
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
    return arm_error(
        400,
        "BadRequest",
        f"Please provide below info when asking for support: timestamp = {stamp}, correlationId = {uuid.uuid4()}.",
        details=[{"code": code, "message": message} for code, message in details],
    )


def _invalid_query(code: str, message: str) -> Answer:
    invalid = (
        "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error "
    )
    return _bad_request([("InvalidQuery", invalid + "before retrying."), (code, message)])


def _query_text(body: bytes) -> str:
    try:
        return str(json.loads(body).get("query", ""))
    except (ValueError, AttributeError):
        return ""


def _index_type(kind: str) -> str:
    return "microsoft.resources/subscriptions/resourcegroups" if kind == "microsoft.resources/resourcegroups" else kind


def _management_group_of(identity: str) -> str | None:
    parts = identity.lower().split("/")
    if parts[:4] == ["", "providers", "microsoft.management", "managementgroups"] and len(parts) > 4:
        return parts[4]
    return None


_RESOURCE_GROUPS = re.compile("/resourceGroups/")


def _odd_casing(identity: str) -> str:
    """Every third id (by checksum, so always the same ones) with a lower-case `resourcegroups`."""
    if zlib.crc32(identity.lower().encode()) % 3:
        return identity
    return _RESOURCE_GROUPS.sub("/resourcegroups/", identity, count=1)


def _inside(body: Mapping[str, Any], *path: str) -> Any:
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
