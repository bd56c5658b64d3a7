"""What could not be read, as gaps: scope, what, reason, and the permission to grant.

`what` is a resource type, a Resource Graph table, or `*` for everything of a scope, as the inventory understands it.
`reason` begins with a stable slug (`forbidden: HTTP 403 AuthorizationFailed`). A gap is `required` only if a resource's
*existence* is unknown without it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from auditor.collect.failures import Failure
from auditor.values import Gap, fold

READER = "Reader"


def hint_for(failure: Failure, scope: str, operation: str | None = None, role: str = READER) -> str:
    """How to make it readable: the role to grant on which scope, and the one operation that is missing."""
    match failure.reason:
        case "unauthorized":
            return "sign in again, and compare this machine's clock with `auditor doctor`"
        case "forbidden" | "not-visible":
            needed = f" (it holds {operation})" if operation else ""
            return f"grant {role} on {scope}{needed}"
        case "throttled" | "server-error" | "timeout" | "connection-lost" | "unreachable" | "endpoint-down":
            return "scan again later; where it stays so, see `auditor doctor`"
        case "deadline":
            return "allow the scan more time, or split its scopes"
        case "paging" | "bad-response":
            return (
                "scan again; the estate changed while it was read, or something between here and Azure alters answers"
            )
        case "foreign-host":
            return "check AUDITOR_ARM_ENDPOINT: answers should point to that host"
        case "ca-not-trusted":
            return "point AUDITOR_CA_BUNDLE to a PEM file that holds the endpoint's CA"
        case "conflict":
            return f"register the resource provider in {scope}, if it is used there; a scan registers none"
        case _:
            return "run `auditor doctor`"


@dataclass(slots=True)
class Gaps:
    """The gaps of one collection; threads add to it."""

    _found: dict[tuple[str, str], Gap] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        scope: str,
        what: str,
        failure: Failure,
        *,
        required: bool,
        operation: str | None = None,
        role: str = READER,
        hint: str | None = None,
    ) -> None:
        """Note one; the same thing at the same scope is noted once, required if either was."""
        said = f"{failure.reason}: {failure.text}"
        gap = Gap(scope, what, said, hint or hint_for(failure, scope, operation, role), required)
        key = (fold(scope), what.casefold())
        with self._lock:
            known = self._found.get(key)
            if known is None or (required and not known.required):
                self._found[key] = gap

    def all(self) -> tuple[Gap, ...]:
        """All gaps, in an order that does not depend on threads."""
        with self._lock:
            return tuple(self._found[key] for key in sorted(self._found))
