"""Azure to rows: what a live scan reads, over the given SDKs, and what it could not read.

`collect()` follows references outward from the inference estate (clusters, workspaces, container groups) and never
lists all security groups, networks or role assignments of a tenant. Importing this package imports no Azure SDK; the
call does.
"""

from auditor.collect.request import Clock, Collected, CollectRequest, Patience, RequestLog, ScopeState, Stopped
from auditor.collect.run import collect
from auditor.collect.snapshot import snapshot_header, write_snapshot

__all__ = [
    "Clock",
    "CollectRequest",
    "Collected",
    "Patience",
    "RequestLog",
    "ScopeState",
    "Stopped",
    "collect",
    "snapshot_header",
    "write_snapshot",
]
