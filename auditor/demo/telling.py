"""What a demonstration says when it is done: five lines of drift, and what was asked of Resource Graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.findings import DriftState, Finding, Report, ResourceChange, ResourceRef
from auditor.report.legible import one_line
from auditor.values import Outcome

if TYPE_CHECKING:
    from auditor.replica import RequestRecord

_SHOWN = 3  # examples in a line


@dataclass(frozen=True, slots=True)
class TableRequests:
    """The Resource Graph requests that named a table, and the rows that they returned together."""

    table: str
    requests: int
    rows: int


def requests_by_table(records: Iterable[RequestRecord]) -> tuple[TableRequests, ...]:
    """The replica's record of Resource Graph requests, counted by table, most requests first.

    A query over several tables counts under their joint name.
    """
    counted: dict[str, tuple[int, int]] = {}
    for record in records:
        if record.operation == "resource-graph":
            requests, rows = counted.get(record.table, (0, 0))
            counted[record.table] = (requests + 1, rows + (record.rows or 0))
    ordered = sorted(counted.items(), key=lambda item: (-item[1][0], item[0]))
    return tuple(TableRequests(table, requests, rows) for table, (requests, rows) in ordered)


def drift_lines(second: Report, third: Report) -> tuple[str, ...]:
    """Five lines: what is new, mended and different on the second night, who came and went, what the third hid."""
    appeared, disappeared = second.resources.appeared, second.resources.disappeared
    came = ", ".join(map(_called, appeared)) or "nothing"
    went = ", ".join(map(_called, disappeared)) or "nothing"
    unread = [scope.id for scope in third.run.scopes if not scope.read]
    return (
        _line("new", second, "new"),
        _line("resolved", second, "resolved"),
        _line("changed", second, "changed"),
        f"resources: {came} appeared, {went} disappeared",
        _line("unverified on the third night", third, "unverified", len(unread)),
    )


def _line(label: str, report: Report, state: DriftState, unread: int = 0) -> str:
    found = [each for each in report.findings if each.drift is not None and each.drift.state == state]
    # What was mended tells more than what is gone with its resource, so that comes last.
    found.sort(key=lambda each: each.outcome is Outcome.NOT_APPLICABLE)
    shown = ", ".join(_named(each) for each in found[:_SHOWN])
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    why = f"; {unread} scopes could not be read" if unread > 1 else ""
    return f"{label}: {len(found)}" + (f" ({shown}{more}){why}" if found else why)


def _named(finding: Finding) -> str:
    return one_line(f"{finding.check} {finding.outcome} on {_told(finding.resource)}")


def _told(resource: ResourceRef) -> str:
    """A resource's name, an extension's with its cluster's: they are all called `azureml`."""
    own, _, extension = resource.id.rpartition("/providers/")
    if resource.type.casefold().endswith("/extensions") and own and extension:
        return f"{own.rsplit('/', 1)[1]}/{resource.name}"
    return resource.name


def _called(resource: ResourceChange) -> str:
    """A resource's name; a role assignment's own is a GUID, which tells nobody anything."""
    return "a role assignment" if resource.type.casefold().endswith("/roleassignments") else one_line(resource.name)
