"""Faults on demand: which requests go wrong, how, and how often.

A plan is a JSON list; its format is described in `docs/replica.md`.
"""

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import UsageProblem

FAULTS = frozenset(
    {
        "status", "reset", "slow", "drip", "truncate", "wrong-json", "wrong-content-type", "expired-token",
        "claims-challenge", "missing-registration", "empty-page-with-nextlink", "foreign-nextlink", "repeat-row",
        "lose-row", "certificate-change", "deletion",
    }
)  # fmt: skip
# These make sense for some requests only, and pass over the others.
PAGE_FAULTS = frozenset({"empty-page-with-nextlink", "foreign-nextlink", "repeat-row", "lose-row"})
_PAGED = frozenset({"arm-list", "resource-graph", "graph"})
_SIGNED_IN = frozenset({"arm-get", "arm-list", "resource-graph", "graph"})
_FOR_THE_SIGNED_IN = frozenset({"expired-token", "claims-challenge", "missing-registration"})
STATUSES = frozenset({400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 502, 503, 504})
_KEYS = frozenset({"match", "fault", "status", "code", "retryAfter", "seconds", "pieces", "resource", "times", "after"})
_MATCHES = frozenset({"method", "path", "table", "operation", "type", "query"})


class FaultPlanProblem(UsageProblem):
    """A fault plan that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a fault can be chosen by."""

    method: str
    path: str
    operation: str
    type: str = ""
    table: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of a plan. `after` requests that match pass first, then `times` fail (None: all)."""

    kind: str
    status: int = 500
    code: str | None = None
    retry_after: str | None = None
    seconds: float = 2.0
    pieces: int = 10
    """In how many parts a dripping body comes."""
    resource: str = ""
    """What a deletion takes away, with everything below it."""
    times: int | None = None
    after: int = 0
    method: str | None = None
    path: re.Pattern[str] | None = None
    table: str | None = None
    operation: str | None = None
    type: str | None = None
    query: re.Pattern[str] | None = None

    def matches(self, request: Request) -> bool:
        """Whether the fault fits the request, and every condition that the line states holds."""
        if self.kind in PAGE_FAULTS and request.operation not in _PAGED:
            return False
        if self.kind in _FOR_THE_SIGNED_IN and request.operation not in _SIGNED_IN:
            return False
        exact = (
            (self.method, request.method),
            (self.table, request.table),
            (self.operation, request.operation),
            (self.type, request.type),
        )
        if any(wanted is not None and wanted.lower() != found.lower() for wanted, found in exact):
            return False
        if self.path is not None and not self.path.search(request.path):
            return False
        return self.query is None or bool(self.query.search(request.query))


class FaultPlan:
    """The faults in force, and how often each has been met."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._met = [0] * len(self.faults)
        self._lock = threading.Lock()

    def fault_for(self, request: Request) -> Fault | None:
        """The first fault that is due for this request; asking counts as meeting it."""
        due: Fault | None = None
        with self._lock:
            for at, fault in enumerate(self.faults):
                if due is not None or not fault.matches(request):
                    continue
                self._met[at] += 1
                over = self._met[at] - fault.after
                if over >= 1 and (fault.times is None or over <= fault.times):
                    due = fault
        return due


def read(plan: "FaultPlan | Path | str | Sequence[Mapping[str, Any]] | None") -> FaultPlan:
    """A plan from a file, from its parsed JSON, or no plan at all."""
    if plan is None:
        return FaultPlan()
    if isinstance(plan, FaultPlan):
        return plan
    if isinstance(plan, (str, Path)):
        return FaultPlan(_from_file(Path(plan)))
    return FaultPlan([_fault(one, f"fault plan, [{at}]") for at, one in enumerate(plan)])


def _from_file(path: Path) -> list[Fault]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise FaultPlanProblem(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    except ValueError as problem:
        raise FaultPlanProblem(f"{path}: not JSON: {problem}") from problem
    if not isinstance(document, list):
        raise FaultPlanProblem(f"{path}: a fault plan is a list")
    return [_fault(one, f"{path}, [{at}]") for at, one in enumerate(document)]


def _fault(line: Any, place: str) -> Fault:
    if not isinstance(line, Mapping):
        raise FaultPlanProblem(f"{place}: not an object")
    match = line.get("match", {})
    if not isinstance(match, Mapping):
        raise FaultPlanProblem(f"{place}: `match` is not an object")
    for keys, known in ((set(line), _KEYS), (set(match), _MATCHES)):
        if keys - known:
            raise FaultPlanProblem(f"{place}: unknown key `{min(keys - known)}`; known are {', '.join(sorted(known))}")
    kind, status = line.get("fault"), line.get("status", 500)
    # A bare number is short for a status: {"fault": 403}.
    if isinstance(kind, int) and not isinstance(kind, bool):
        kind, status = "status", kind
    if kind not in FAULTS:
        raise FaultPlanProblem(f"{place}: unknown fault {kind!r}; known are {', '.join(sorted(FAULTS))}")
    if status not in STATUSES:
        raise FaultPlanProblem(f"{place}: status {status!r} is none of {', '.join(map(str, sorted(STATUSES)))}")
    retry_after, resource = line.get("retryAfter"), str(line.get("resource") or "")
    if (kind == "deletion") != bool(resource):
        raise FaultPlanProblem(f"{place}: `resource`, an id, goes with the fault `deletion`, and with no other")
    return Fault(
        kind=kind,
        status=status,
        code=line.get("code"),
        retry_after=None if retry_after is None else str(retry_after),
        seconds=_number(line, "seconds", 2.0, place),
        pieces=max(1, int(_number(line, "pieces", 10, place))),
        resource=resource,
        times=None if line.get("times") is None else int(_number(line, "times", 1, place)),
        after=int(_number(line, "after", 0, place)),
        method=match.get("method"),
        path=_pattern(match, "path", place),
        table=match.get("table"),
        operation=match.get("operation"),
        type=match.get("type"),
        query=_pattern(match, "query", place),
    )


def _number(line: Mapping[str, Any], key: str, default: float, place: str) -> float:
    value = line.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise FaultPlanProblem(f"{place}: `{key}` must be a number that is not negative, not {value!r}")
    return value


def _pattern(match: Mapping[str, Any], key: str, place: str) -> re.Pattern[str] | None:
    if key not in match:
        return None
    try:
        return re.compile(str(match[key]), re.IGNORECASE)
    except re.error as problem:
        raise FaultPlanProblem(f"{place}: `{key}` is not a regular expression: {problem}") from problem
