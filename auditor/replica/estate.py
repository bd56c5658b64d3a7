"""An estate: everything a tenant holds, as one JSON file says it, read and checked.

The format is described in `docs/replica.md`. Two kinds of file exist: a whole estate, and a later state that
`extends` another file and says what was put, merged, removed or locked away since.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from auditor.errors import UsageProblem

VERSION = 1
CLOUDS = ("public", "china", "usgov")

Body = dict[str, Any]
"""One JSON object as ARM, Resource Graph or Microsoft Graph would send it."""

T = TypeVar("T")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_DEEPEST_EXTENSION = 16


class EstateProblem(UsageProblem):
    """An estate file that cannot be meant: one line that names the file and the place in it."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription and the management group right above it.

    `indexed_below` is the group under which Resource Graph finds it: for a while after a move not the same.
    """

    id: str
    name: str
    management_group: str | None
    indexed_below: str | None


@dataclass(frozen=True, slots=True)
class ManagementGroup:
    """A management group; `parent` is None for those right below the tenant's root."""

    id: str
    display_name: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class Application:
    """An application that may sign in with a secret, and what it may read."""

    app_id: str
    object_id: str
    secret: str
    display_name: str
    reads: tuple[str, ...]
    graph: bool


@dataclass(frozen=True, slots=True)
class ServicePrincipal:
    """A service principal that Microsoft Graph knows."""

    app_id: str
    object_id: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Group:
    """A directory group; members are object ids of principals and of other groups."""

    id: str
    display_name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lag:
    """What Resource Graph still shows of a resource that ARM already shows otherwise."""

    id: str
    merge: Body | None
    """None: it shows nothing of it yet."""


@dataclass(frozen=True, slots=True)
class Estate:
    """All that the replica serves, at one moment."""

    cloud: str
    clock: datetime
    tenant_id: str
    tenant_name: str
    management_groups: tuple[ManagementGroup, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    applications: tuple[Application, ...] = ()
    service_principals: tuple[ServicePrincipal, ...] = ()
    groups: tuple[Group, ...] = ()
    lacks_tables: frozenset[str] = frozenset()
    service_tags: Body | None = None
    resources: tuple[Body, ...] = ()
    changes: tuple[Body, ...] = ()
    activity: tuple[Body, ...] = ()
    index_lag: tuple[Lag, ...] = ()
    unreadable: tuple[str, ...] = ()
    source: str = field(default="estate", compare=False)


def load(path: Path, cloud: str | None = None) -> Estate:
    """The estate of the file `path`, its variables filled in for `cloud` (else for the cloud that the file names)."""
    return from_document(_whole(path, 0), cloud, str(path))


def from_document(document: Mapping[str, Any], cloud: str | None = None, source: str = "estate") -> Estate:
    """The estate of an already parsed document without `extends`; `source` names it in errors."""
    version = document.get("version", VERSION)
    if version != VERSION:
        raise EstateProblem(f"{source}: version {version!r} is not understood; this program reads version {VERSION}")
    chosen = cloud or document.get("cloud", "public")
    if chosen not in CLOUDS:
        raise EstateProblem(f"{source}: unknown cloud {chosen!r}; known are {', '.join(CLOUDS)}")
    unknown = sorted(set(document) - KEYS)
    if unknown:
        raise EstateProblem(f"{source}: unknown key `{unknown[0]}`; known are {', '.join(sorted(KEYS))}")
    variables = _object(_object(document.get("variables", {}), source, "variables").get(chosen, {}), source, chosen)
    filled = {key: value for key, value in document.items() if key != "variables"}
    # Made-up estates of many subscriptions hold no variable at all: looking is much cheaper than walking.
    if "${" in json.dumps(filled, ensure_ascii=False):
        filled = {key: _fill(value, variables, source, key) for key, value in filled.items()}
    return _built(filled, chosen, source)


KEYS = frozenset(
    {
        "version", "cloud", "clock", "tenant", "variables", "managementGroups", "subscriptions", "applications",
        "servicePrincipals", "groups", "lacksTables", "serviceTags", "resources", "changes", "activity", "indexLag",
        "unreadable",
    }
)  # fmt: skip
_STATE_KEYS = frozenset({"extends", "put", "merge", "remove"})


def _whole(path: Path, depth: int) -> Body:
    """The document of `path` with everything that it extends worked in."""
    if depth > _DEEPEST_EXTENSION:
        raise EstateProblem(f"{path}: `extends` goes deeper than {_DEEPEST_EXTENSION} files; does it go in a circle?")
    document = _parsed(path)
    if "extends" not in document:
        stray = sorted(_STATE_KEYS & set(document))
        if stray:
            raise EstateProblem(f"{path}: `{stray[0]}` needs `extends`")
        return document
    below = _whole(path.parent / _text(document["extends"], str(path), "extends"), depth + 1)
    return _later(below, document, str(path))


def _parsed(path: Path) -> Body:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise EstateProblem(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    except UnicodeDecodeError as problem:
        raise EstateProblem(f"{path}: not UTF-8 text (byte {problem.start})") from problem
    try:
        document = json.loads(text)
    except json.JSONDecodeError as problem:
        raise EstateProblem(f"{path}, line {problem.lineno}: not JSON: {problem.msg.lower()}") from problem
    except RecursionError as problem:
        raise EstateProblem(f"{path}: nested too deeply") from problem
    return _object(document, str(path), "the document")


def _later(below: Body, state: Body, source: str) -> Body:
    """`below` after the changes that `state` tells; every other key of `state` replaces the older one."""
    document = {**below, **{key: value for key, value in state.items() if key not in _STATE_KEYS}}
    variables = dict(_object(below.get("variables", {}), source, "variables"))
    for cloud, values in _object(state.get("variables", {}), source, "variables").items():
        variables[cloud] = {**variables.get(cloud, {}), **_object(values, source, f"variables.{cloud}")}
    if variables:
        document["variables"] = variables
    resources = {
        _id(body, source, f"resources[{at}]").lower(): body for at, body in _listed(below, "resources", source)
    }
    for at, one in _listed(state, "merge", source):
        target = _id(one, source, f"merge[{at}]")
        if target.lower() not in resources:
            raise EstateProblem(f"{source}: merge[{at}] names a resource that is not there: {target}")
        resources[target.lower()] = merged(
            resources[target.lower()], _object(one.get("patch"), source, f"merge[{at}].patch")
        )
    for at, target in enumerate(_array(state, "remove", source)):
        if resources.pop(_text(target, source, f"remove[{at}]").lower(), None) is None:
            raise EstateProblem(f"{source}: remove[{at}] names a resource that is not there: {target}")
    for at, body in _listed(state, "put", source):
        resources[_id(body, source, f"put[{at}]").lower()] = body
    if "resources" not in state:
        document["resources"] = list(resources.values())
    return document


def merged(target: Any, patch: Any) -> Any:
    """`target` after the JSON Merge Patch `patch` (RFC 7396); neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _fill(value: Any, variables: Mapping[str, Any], source: str, place: str) -> Any:
    """`value` with every `${name}` in every string (keys of objects too) replaced.

    A string that is nothing but `${name}` becomes the variable's own value, so that a list or an object (a cloud's
    service tags) can be one too.
    """
    if isinstance(value, str):
        whole = _VARIABLE.fullmatch(value)
        if whole is not None and whole[1] in variables:
            return variables[whole[1]]
        return _filled_text(value, variables, source, place)
    if isinstance(value, Mapping):
        return {
            _filled_text(key, variables, source, place): _fill(inner, variables, source, f"{place}.{key}")
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_fill(inner, variables, source, f"{place}[{at}]") for at, inner in enumerate(value)]
    return value


def _filled_text(text: str, variables: Mapping[str, Any], source: str, place: str) -> str:
    if "${" not in text:
        return text

    def replacement(match: re.Match[str]) -> str:
        if match[1] not in variables:
            raise EstateProblem(f"{source}: unknown variable ${{{match[1]}}} at {place}")
        return str(variables[match[1]])

    return _VARIABLE.sub(replacement, text)


def _built(document: Body, cloud: str, source: str) -> Estate:
    tenant = _object(document.get("tenant"), source, "tenant")
    tags = document.get("serviceTags")
    estate = Estate(
        cloud=cloud,
        clock=_moment(document.get("clock"), source),
        tenant_id=_guid(tenant.get("id"), source, "tenant.id"),
        tenant_name=str(tenant.get("name", "")),
        management_groups=_each(document, "managementGroups", source, _management_group),
        subscriptions=_each(document, "subscriptions", source, _subscription),
        applications=_each(document, "applications", source, _application),
        service_principals=_each(document, "servicePrincipals", source, _service_principal),
        groups=_each(document, "groups", source, _group),
        lacks_tables=frozenset(str(name).lower() for name in _array(document, "lacksTables", source)),
        service_tags=None if tags is None else _object(tags, source, "serviceTags"),
        resources=_each(document, "resources", source, _resource),
        changes=_each(document, "changes", source, _plain),
        activity=_each(document, "activity", source, _plain),
        index_lag=_each(document, "indexLag", source, _lag),
        unreadable=tuple(_text(one, source, "unreadable") for one in _array(document, "unreadable", source)),
        source=source,
    )
    _cross_check(estate)
    return estate


def _cross_check(estate: Estate) -> None:
    """References between the parts of an estate, and names that must not occur twice."""
    source = estate.source
    groups = {group.id.lower() for group in estate.management_groups}
    parents = {group.id.lower(): (group.parent or "").lower() for group in estate.management_groups}
    for group in estate.management_groups:
        if group.parent is not None and group.parent.lower() not in groups:
            raise EstateProblem(f"{source}: management group {group.id} lies below an unknown one: {group.parent}")
        above, steps = parents[group.id.lower()], 0
        while above:
            above, steps = parents.get(above, ""), steps + 1
            if steps > len(groups):
                raise EstateProblem(f"{source}: management group {group.id} lies below itself")
    for subscription in estate.subscriptions:
        if subscription.management_group is not None and subscription.management_group.lower() not in groups:
            raise EstateProblem(
                f"{source}: subscription {subscription.id} lies below an unknown management group: "
                f"{subscription.management_group}"
            )
    known = {subscription.id.lower() for subscription in estate.subscriptions}
    _once("managementGroups", (group.id for group in estate.management_groups), source)
    _once("subscriptions", (subscription.id for subscription in estate.subscriptions), source)
    _once("resources", (body["id"] for body in estate.resources), source)
    for at, body in enumerate(estate.resources):
        parts = body["id"].lower().split("/")
        if len(parts) > 2 and parts[1] == "subscriptions" and parts[2] not in known:
            raise EstateProblem(f"{source}: resources[{at}] lies in an unknown subscription: {body['id']}")


def _once(key: str, ids: Iterable[str], source: str) -> None:
    seen: set[str] = set()
    for one in ids:
        if one.lower() in seen:
            raise EstateProblem(f"{source}: {key} holds {one} twice")
        seen.add(one.lower())


def _management_group(body: Body, source: str, place: str) -> ManagementGroup:
    name = _text(body.get("id"), source, f"{place}.id")
    parent = body.get("parent")
    return ManagementGroup(name, str(body.get("displayName", name)), None if parent is None else str(parent))


def _subscription(body: Body, source: str, place: str) -> Subscription:
    above = body.get("managementGroup")
    guid = _guid(body.get("id"), source, f"{place}.id")
    indexed = body.get("indexedBelow", above)
    return Subscription(
        guid,
        str(body.get("name", guid)),
        None if above is None else str(above),
        None if indexed is None else str(indexed),
    )


def _application(body: Body, source: str, place: str) -> Application:
    return Application(
        app_id=_guid(body.get("appId"), source, f"{place}.appId"),
        object_id=_guid(body.get("objectId"), source, f"{place}.objectId"),
        secret=_text(body.get("secret"), source, f"{place}.secret"),
        display_name=str(body.get("displayName", "")),
        reads=tuple(_text(one, source, f"{place}.reads") for one in _array(body, "reads", source)),
        graph=bool(body.get("graph", False)),
    )


def _service_principal(body: Body, source: str, place: str) -> ServicePrincipal:
    return ServicePrincipal(
        app_id=_guid(body.get("appId"), source, f"{place}.appId"),
        object_id=_guid(body.get("objectId"), source, f"{place}.objectId"),
        display_name=str(body.get("displayName", "")),
    )


def _group(body: Body, source: str, place: str) -> Group:
    return Group(
        id=_guid(body.get("id"), source, f"{place}.id"),
        display_name=str(body.get("displayName", "")),
        members=tuple(_text(one, source, f"{place}.members") for one in _array(body, "members", source)),
    )


def _resource(body: Body, source: str, place: str) -> Body:
    _id(body, source, place)
    _text(body.get("type"), source, f"{place}.type")
    return body


def _plain(body: Body, source: str, place: str) -> Body:
    return body


def _lag(body: Body, source: str, place: str) -> Lag:
    merge = body.get("merge")
    unseen = "merge" in body and merge is None
    return Lag(_id(body, source, place), None if unseen else _object(merge, source, f"{place}.merge"))


def _each(document: Mapping[str, Any], key: str, source: str, read: Callable[[Body, str, str], T]) -> tuple[T, ...]:
    return tuple(read(body, source, f"{key}[{at}]") for at, body in _listed(document, key, source))


def _listed(document: Mapping[str, Any], key: str, source: str) -> list[tuple[int, Body]]:
    return [(at, _object(one, source, f"{key}[{at}]")) for at, one in enumerate(_array(document, key, source))]


def _array(document: Mapping[str, Any], key: str, source: str) -> Sequence[Any]:
    value = document.get(key, [])
    if not isinstance(value, list):
        raise EstateProblem(f"{source}: `{key}` must be a list, not {_kind(value)}")
    return value


def _object(value: Any, source: str, place: str) -> Body:
    if not isinstance(value, dict):
        raise EstateProblem(f"{source}: {place} must be an object, not {_kind(value)}")
    return value


def _id(body: Mapping[str, Any], source: str, place: str) -> str:
    text = _text(body.get("id"), source, f"{place}.id")
    if not text.startswith("/"):
        raise EstateProblem(f"{source}: {place}.id is not an ARM id: {text}")
    return text


def _guid(value: Any, source: str, place: str) -> str:
    text = _text(value, source, place)
    if not _GUID.match(text):
        raise EstateProblem(f"{source}: {place} is not a GUID: {text}")
    return text


def _text(value: Any, source: str, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise EstateProblem(f"{source}: {place} must be a text that is not empty, not {_kind(value)}")
    return value


def _moment(value: Any, source: str) -> datetime:
    if value is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(_text(value, source, "clock"))
    except ValueError as problem:
        raise EstateProblem(f"{source}: clock is not an RFC 3339 time: {value}") from problem
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")
