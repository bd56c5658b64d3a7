"""Reading runs back: reports as they were saved, lists, trends, the life of a finding."""

from __future__ import annotations

import difflib
import json
from typing import cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from auditor.errors import UsageProblem
from auditor.findings import Finding, Report, ResourceChange, Topology, sort_key
from auditor.history.records import RunRow, Stay, StayState, TrendPoint
from auditor.history.rows import unpacked_finding, unpacked_header, unpacked_resource, unpacked_topology, usual_drift
from auditor.history.tables import AnyRow, body, presence, remark, run, scope_set, stay, topology
from auditor.values import fold

_WITH_SCOPES = sa.select(run, scope_set.c.scopes).join(scope_set, scope_set.c.id == run.c.scope_set_id)


def find_run(connection: Connection, run_id: str) -> AnyRow:
    """The run with this id, or the only one whose id begins so. Raises UsageProblem."""
    found = connection.execute(_WITH_SCOPES.where(run.c.id == run_id)).first()
    if found is not None:
        return found
    begins = run.c.id.startswith(run_id, autoescape=True)
    rows = connection.execute(_WITH_SCOPES.where(begins).limit(2)).all() if run_id else []
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise UsageProblem(f"several runs begin with {run_id!r}", hint="give more of the run's id")
    ids = connection.execute(sa.select(run.c.id)).scalars().all()
    near = difflib.get_close_matches(run_id, ids, n=1)
    hint = f"did you mean {near[0]}?" if near else "`auditor history list` shows the runs there are"
    raise UsageProblem(f"no run {run_id!r} in the history", hint=hint)


def report_of(connection: Connection, row: AnyRow) -> Report:
    """The whole report of a run."""
    header = unpacked_header(bytes(row.header))
    rows = connection.execute(
        sa.select(stay.c.since, body.c.content, remark.c.content.label("said"))
        .join(body, body.c.digest == stay.c.body)
        .outerjoin(remark, (remark.c.finding_id == stay.c.finding_id) & (remark.c.run_id == row.id))
        .where(stay.c.scope_set_id == row.scope_set_id, covers(row.seq))
    )
    compared = header.baseline is not None
    findings = (
        unpacked_finding(bytes(each.content), each.said, usual_drift(each.since, compared=compared)) for each in rows
    )
    return msgspec.structs.replace(
        header, findings=tuple(sorted(findings, key=sort_key)), topologies=topologies_of(connection, row)
    )


def topologies_of(connection: Connection, row: AnyRow) -> tuple[Topology, ...]:
    """The networks of the clusters as a run saw them, in the order of the clusters' ids."""
    shown = (topology.c.first_seq <= row.seq) & (topology.c.last_seq.is_(None) | (topology.c.last_seq >= row.seq))
    chosen = sa.select(topology.c.content).where(topology.c.scope_set_id == row.scope_set_id, shown)
    found = [unpacked_topology(bytes(each.content)) for each in connection.execute(chosen)]
    return tuple(sorted(found, key=lambda each: fold(each.cluster)))


def resources_of(connection: Connection, row: AnyRow) -> tuple[ResourceChange, ...] | None:
    """The audited resources of a run; None if it was saved without them."""
    if not row.lists_resources:
        return None
    listed = (presence.c.last_seq.is_(None) | (presence.c.last_seq >= row.seq)) & (presence.c.first_seq <= row.seq)
    rows = connection.execute(sa.select(presence.c.resource).where(presence.c.scope_set_id == row.scope_set_id, listed))
    return tuple(unpacked_resource(each.resource) for each in rows)


def covers(seq: int) -> sa.ColumnElement[bool]:
    """Stays that the run of this number shows."""
    return (stay.c.first_seq <= seq) & (stay.c.last_seq.is_(None) | (stay.c.last_seq >= seq))


def row_of(connection: Connection, row: AnyRow) -> RunRow:
    """What a list tells of a run."""
    header = unpacked_header(bytes(row.header))
    return RunRow(
        id=row.id,
        started_at=row.started_at,
        finished_at=header.run.finished_at,
        complete=row.complete,
        pinned=row.pinned,
        scopes=tuple(json.loads(row.scopes)),
        outcomes=header.summary.outcomes,
        drift=header.summary.drift,
    )


def list_runs(connection: Connection, key: str | None, limit: int | None) -> tuple[RunRow, ...]:
    """Runs, newest first; runs of different scope sets are ordered by when they started."""
    chosen = _WITH_SCOPES.order_by(run.c.started_at.desc(), run.c.seq.desc(), run.c.id).limit(limit)
    if key is not None:
        chosen = _WITH_SCOPES.where(scope_set.c.scopes == key).order_by(run.c.seq.desc()).limit(limit)
    return tuple(row_of(connection, row) for row in connection.execute(chosen))


def trend(connection: Connection, key: str, limit: int) -> tuple[TrendPoint, ...]:
    """The newest nights of a scope set, oldest first."""
    chosen = _WITH_SCOPES.where(scope_set.c.scopes == key).order_by(run.c.seq.desc()).limit(limit)
    points = [
        TrendPoint(row.id, row.started_at, row.complete, row.pinned, unpacked_header(bytes(row.header)).summary)
        for row in connection.execute(chosen)
    ]
    return tuple(reversed(points))


def find_finding(connection: Connection, finding_id: str, run_id: str | None) -> tuple[str, Finding] | None:
    """A finding, by its id or the unique beginning of it, in a run or in the newest run (by start) that has it."""
    begins = stay.c.finding_id.startswith(finding_id, autoescape=True)
    ids = connection.execute(sa.select(stay.c.finding_id).where(begins).distinct().limit(2)).scalars().all()
    if not finding_id or not ids:
        return None
    if len(ids) > 1 and finding_id not in ids:
        raise UsageProblem(f"several findings begin with {finding_id!r}", hint="give more of the finding's id")
    finding_id = ids[0] if len(ids) == 1 else finding_id
    chosen = (
        sa.select(run.c.id, run.c.header, stay.c.since, body.c.content, remark.c.content.label("said"))
        .join(stay, stay.c.scope_set_id == run.c.scope_set_id)
        .join(body, body.c.digest == stay.c.body)
        .outerjoin(remark, (remark.c.finding_id == stay.c.finding_id) & (remark.c.run_id == run.c.id))
        .where(
            stay.c.finding_id == finding_id,
            stay.c.first_seq <= run.c.seq,
            stay.c.last_seq.is_(None) | (stay.c.last_seq >= run.c.seq),
        )
        .order_by(run.c.started_at.desc(), run.c.seq.desc())
        .limit(1)
    )
    if run_id is not None:
        chosen = chosen.where(run.c.id == find_run(connection, run_id).id)
    row = connection.execute(chosen).first()
    if row is None:
        return None
    compared = unpacked_header(bytes(row.header)).baseline is not None
    usual = usual_drift(row.since, compared=compared)
    return row.id, unpacked_finding(bytes(row.content), row.said, usual)


def timeline(connection: Connection, finding_id: str) -> tuple[Stay, ...]:
    """A finding's stays, oldest first; ids of runs that were pruned are None."""
    first, last = run.alias("first"), run.alias("last")
    rows = connection.execute(
        sa.select(stay, first.c.id.label("first_run"), last.c.id.label("last_run"))
        .outerjoin(first, (first.c.scope_set_id == stay.c.scope_set_id) & (first.c.seq == stay.c.first_seq))
        .outerjoin(last, (last.c.scope_set_id == stay.c.scope_set_id) & (last.c.seq == stay.c.last_seq))
        .where(stay.c.finding_id == finding_id)
        .order_by(stay.c.scope_set_id, stay.c.first_seq)
    )
    return tuple(
        Stay(
            state=cast(StayState, row.state),
            since=row.since,
            first_run=row.first_run,
            last_run=row.last_run,
            still=row.last_seq is None,
        )
        for row in rows
    )
