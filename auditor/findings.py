"""The report's model: what a run found, as `report.json` (schema version 1) carries it.

Every output (HTML, JSON, CSV, …), the history and drift work on these records; their wire names are the fixed contract.
They are decoded and encoded by msgspec, so a report file reads back into the very same records.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from auditor.values import Outcome, Severity

SCHEMA_VERSION = 1
DriftState = Literal["new", "resolved", "changed", "unchanged", "unverified"]
NodeKind = Literal[
    "cluster",
    "identity",
    "kubelet-identity",
    "network",
    "subnet",
    "security-group",
    "route-table",
    "next-hop",
    "frontend",
    "api-server",
    "private-endpoint",
    "registry",
]
Relation = Literal[
    "acts-as",
    "uses",
    "may-join",
    "filtered-by",
    "routed-by",
    "sends-to",
    "answers-at",
    "leaves-by",
    "managed-at",
    "reaches",
    "leads-to",
    "pulls-from",
]
DRIFT_STATES: tuple[DriftState, ...] = ("new", "resolved", "changed", "unchanged", "unverified")


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all report records: frozen, camelCase on the wire."""


class Tool(Record, frozen=True, kw_only=True):
    """Which program wrote the report."""

    name: str
    version: str


class Catalogue(Record, frozen=True, kw_only=True):
    """The set of checks that ran: `version` of the program's catalogue, `digest` over ids and check versions.

    `checks` gives each check's id its version, so that drift can tell a changed estate from a changed check.
    """

    version: str
    digest: str
    checks: dict[str, int] = {}


class Scope(Record, frozen=True, kw_only=True):
    """A requested scope (subscription or management group id) and whether it was read."""

    id: str
    read: bool


class GapRecord(Record, frozen=True, kw_only=True):
    """Something asked for that could not be read; a `required` one makes the run incomplete."""

    scope: str
    what: str
    reason: str
    hint: str
    required: bool


class Note(Record, frozen=True, kw_only=True):
    """A remark about the run: `kind` is a slug (`catalogue`, `waiver-expired`, `index-lag`, …)."""

    kind: str
    check: str | None = None
    text: str


class Requests(Record, frozen=True, kw_only=True):
    """What the scan asked of Azure. `byOperation` maps an operation or table to its number of requests."""

    total: int = 0
    by_operation: dict[str, int] = {}
    throttled: int = 0
    retried: int = 0


class Run(Record, frozen=True, kw_only=True):
    """One scan. Times are RFC 3339 in UTC with seconds."""

    id: str
    started_at: str
    finished_at: str
    cloud: str
    source: Literal["live", "snapshot"]
    lang: str
    catalogue: Catalogue
    scopes: tuple[Scope, ...]
    complete: bool
    gaps: tuple[GapRecord, ...] = ()
    notes: tuple[Note, ...] = ()
    requests: Requests = msgspec.field(default_factory=Requests)


class Baseline(Record, frozen=True, kw_only=True):
    """The run that this one was compared with."""

    run_id: str
    started_at: str
    pinned: bool


class ResourceRef(Record, frozen=True, kw_only=True):
    """The resource a finding is about, as spelled by Azure."""

    id: str
    type: str
    name: str
    location: str | None = None
    subscription_id: str | None = None
    resource_group: str | None = None


class EvidenceRecord(Record, frozen=True, kw_only=True):
    """One property that the verdict rests on."""

    resource: str
    path: str
    value: Any
    note: str = ""


class TraceRecord(Record, frozen=True, kw_only=True):
    """One step of how the verdict was reached; `text` is a template over `facts`."""

    kind: str
    text: str
    facts: dict[str, Any] = {}


class EffectRecord(Record, frozen=True, kw_only=True):
    """What the finding permits (`items`, canonical), their digest, and the difference to the baseline."""

    digest: str
    items: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class SourceRef(Record, frozen=True, kw_only=True):
    """The clause that the check comes from."""

    document: str
    section: str
    url: str


class Command(Record, frozen=True, kw_only=True):
    """A command as arguments, and as text made by shell quoting (POSIX)."""

    argv: tuple[str, ...]
    text: str


class Remediation(Record, frozen=True, kw_only=True):
    """How to mend it: prose, and commands where every value fits its grammar.

    `summary` is rendered in the run's language; `template` is its constant English text over the finding's facts and
    the names that `auditor.api.Mend` lists.
    """

    summary: str
    template: str = ""
    commands: tuple[Command, ...] = ()


class Change(Record, frozen=True, kw_only=True):
    """One recorded change of a property: when, by whom, from what to what. `client` is what was used, if told."""

    at: str
    by: str
    client: str = ""
    operation: str
    property: str
    before: Any = None
    after: Any = None


class Between(Record, frozen=True, kw_only=True):
    """The starts of two runs (RFC 3339): something came to be after the first read, and before the second did."""

    after: str
    until: str


class Drift(Record, frozen=True, kw_only=True):
    """How the finding compares with the baseline; `since` is the start of the first run that saw this state.

    `changes` are the records of who made it so; where none was found, `unrecorded` tells between which runs it came to
    be: the baseline, and the first one that saw it.
    """

    state: DriftState
    since: str | None = None
    changes: tuple[Change, ...] = ()
    unrecorded: Between | None = None


class Waiver(Record, frozen=True, kw_only=True):
    """An accepted deviation. It never hides a finding."""

    owner: str
    reason: str
    expires: str


class Finding(Record, frozen=True, kw_only=True):
    """A verdict with identity, severity, drift, waiver and remediation.

    `title` and `message` are rendered in the run's language; `template` is the constant English message over `facts`,
    so that another language can be rendered later.
    """

    id: str
    check: str
    title: str
    severity: Severity
    outcome: Outcome
    reason: str
    reasons: tuple[str, ...]
    message: str
    template: str = ""
    facts: dict[str, Any] = {}
    resource: ResourceRef
    part: str | None = None
    related: tuple[str, ...] = ()
    evidence: tuple[EvidenceRecord, ...] = ()
    trace: tuple[TraceRecord, ...] = ()
    effect: EffectRecord | None = None
    source: SourceRef
    remediation: Remediation
    confirmed: bool | None = None
    drift: Drift | None = None
    waiver: Waiver | None = None


class ResourceChange(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A resource that appeared or disappeared between baseline and run.

    `fingerprint` are facts that the resource keeps for its whole life, by name (`auditor.drift.sameness`), as far as
    they were collected. The history keeps them of every audited resource.
    """

    id: str
    type: str
    name: str
    fingerprint: dict[str, str] = {}


class ResourceChanges(Record, frozen=True, kw_only=True):
    """Resources that appeared or disappeared of themselves."""

    appeared: tuple[ResourceChange, ...] = ()
    disappeared: tuple[ResourceChange, ...] = ()


class Summary(Record, frozen=True, kw_only=True):
    """Counts. `by_severity` counts unwaived fails; `drift` is None without a baseline."""

    resources: dict[str, int]
    outcomes: dict[str, int]
    by_severity: dict[str, int]
    by_check: dict[str, dict[str, int]]
    waived: int
    drift: dict[str, int] | None


class TopologyNode(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Something in a cluster's network. `key` is unique in its topology, `id` the ARM id where it has one.

    `note` is what stands beside its name: prefixes, an address, or why it could not be read (`read` is then false).
    `findings` are those about the thing itself, `parent` the key of the virtual network around a subnet.
    """

    key: str
    kind: NodeKind
    name: str
    id: str = ""
    note: str = ""
    parent: str | None = None
    read: bool = True
    findings: tuple[str, ...] = ()


class TopologyEdge(Record, frozen=True, kw_only=True, omit_defaults=True):
    """How one node stands to another, and the findings that judge it; without findings nothing was asked about it."""

    source: str
    target: str
    relation: Relation
    findings: tuple[str, ...] = ()


class Topology(Record, frozen=True, kw_only=True):
    """The network of one cluster (`cluster` is its ARM id), as far as it was read."""

    cluster: str
    nodes: tuple[TopologyNode, ...]
    edges: tuple[TopologyEdge, ...]


class Report(Record, frozen=True, kw_only=True):
    """One run's report: the whole of `report.json`."""

    schema_version: int = SCHEMA_VERSION
    tool: Tool
    run: Run
    baseline: Baseline | None
    summary: Summary
    findings: tuple[Finding, ...]
    resources: ResourceChanges = ResourceChanges()
    topologies: tuple[Topology, ...] = ()


def sort_key(finding: Finding) -> tuple[int, str, str, str]:
    """The order in which a report lists findings: severity, check, resource id, part."""
    return (finding.severity.rank, finding.check, finding.resource.id.casefold(), finding.part or "")


def summarize(findings: tuple[Finding, ...], resources: dict[str, int]) -> Summary:
    """Count findings. `resources` is the number of audited resources a kind, as the inventory gives it."""
    outcomes = {
        str(outcome): 0
        for outcome in (Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE)
    }
    by_severity = {str(severity): 0 for severity in Severity}
    by_check: dict[str, dict[str, int]] = {}
    drift = {str(state): 0 for state in DRIFT_STATES}
    compared, waived = False, 0
    for finding in findings:
        outcomes[finding.outcome] += 1
        counts = by_check.setdefault(finding.check, dict.fromkeys(outcomes, 0))
        counts[finding.outcome] += 1
        if finding.waiver is not None:
            waived += 1
        elif finding.outcome is Outcome.FAIL:
            by_severity[finding.severity] += 1
        if finding.drift is not None:
            compared = True
            drift[finding.drift.state] += 1
    return Summary(
        resources=dict(sorted(resources.items())),
        outcomes=outcomes,
        by_severity=by_severity,
        by_check=dict(sorted(by_check.items())),
        waived=waived,
        drift=drift if compared else None,
    )
