"""Writing a run: what is as it was costs nothing; what changed ends one stay and begins another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from auditor.drift import Absences, effect_digest, was_read
from auditor.findings import Finding, Report, ResourceChange, Topology
from auditor.history.problems import HistoryProblem
from auditor.history.rows import (
    packed_body,
    packed_header,
    packed_resource,
    packed_topology,
    remark_on,
    scope_set_key,
    squeezed,
    state_of,
    unpacked_finding,
    usual_drift,
)
from auditor.history.tables import AnyRow, body, presence, remark, run, scope_set, stay, topology
from auditor.values import fold

_CHUNK = 500
"""Values in one statement: below SQLite's oldest limit of 999 parameters."""


def save(
    connection: Connection,
    report: Report,
    resources: tuple[ResourceChange, ...] | None,
    scope_read: Callable[[str], bool] | None,
) -> None:
    """Add a run to the history, within the caller's transaction."""
    key = scope_set_key(scope.id for scope in report.run.scopes)
    header = packed_header(report)
    scope_set_id, seq = _next(connection, key)
    known = connection.execute(sa.select(run.c.header).where(run.c.id == report.run.id)).first()
    if known is not None:
        if bytes(known.header) == header:
            return
        raise HistoryProblem(f"the history already has another run with the id {report.run.id}")
    connection.execute(sa.update(scope_set).where(scope_set.c.id == scope_set_id).values(last_seq=seq))
    connection.execute(
        sa.insert(run).values(
            id=report.run.id,
            scope_set_id=scope_set_id,
            seq=seq,
            started_at=report.run.started_at,
            complete=report.run.complete,
            pinned=False,
            lists_resources=resources is not None,
            header=header,
        )
    )
    _Findings(
        connection,
        report,
        scope_set_id,
        seq,
        Absences.of(report, resources, scope_read or was_read(report.run)),
    ).save()
    if resources is not None:
        _save_resources(connection, resources, scope_set_id, seq)
    _save_topologies(connection, report.topologies, scope_set_id, seq)


def _next(connection: Connection, key: str) -> tuple[int, int]:
    """The scope set's row, made if it is new and locked until the transaction ends; and the next run's number."""
    _insert_new(connection, scope_set, [{"scopes": key, "last_seq": 0}])
    chosen = sa.select(scope_set.c.id, scope_set.c.last_seq).where(scope_set.c.scopes == key)
    row = connection.execute(chosen.with_for_update()).one()  # SQLite ignores it: it locks by BEGIN IMMEDIATE
    return row.id, row.last_seq + 1


@dataclass(frozen=True, slots=True)
class _Findings:
    """The findings of one run on their way into the history."""

    connection: Connection
    report: Report
    scope_set_id: int
    seq: int
    absences: Absences

    def save(self) -> None:
        """End the stays that are over, begin new ones, and note what only this run says."""
        last = self._last_stays()
        bodies: dict[bytes, bytes] = {}
        begun: list[dict[str, Any]] = []
        ended: list[int] = []
        remarks: list[dict[str, str]] = []
        compared = self.report.baseline is not None
        for finding in self.report.findings:
            digest, content = packed_body(finding)
            before = last.get(finding.id)
            if before is not None and self._goes_on(before, finding, digest):
                since = before.since
            else:
                bodies[digest] = content
                begun.append(self._begin(finding, digest, before))
                since = begun[-1]["since"]
                if before is not None:
                    ended.append(before.id)
            said = remark_on(finding, usual_drift(since, compared=compared))
            if said is not None:
                remarks.append({"run_id": self.report.run.id, "finding_id": finding.id, "content": said})
        self._insert_bodies(bodies)
        self._end(ended, pending=False)
        self._end_absent(last)
        _insert(self.connection, stay, begun)
        _insert(self.connection, remark, remarks)

    def _last_stays(self) -> Mapping[str, AnyRow]:
        """Each finding's stay that is open, or whose absence is still to be proved."""
        chosen = stay.c.last_seq.is_(None) | stay.c.pending
        rows = self.connection.execute(sa.select(stay).where(stay.c.scope_set_id == self.scope_set_id, chosen))
        return {row.finding_id: row for row in rows}

    def _goes_on(self, before: AnyRow, finding: Finding, digest: bytes) -> bool:
        """Whether nothing about the finding changed: neither its content nor what its check's verdicts mean."""
        is_open = before.last_seq is None
        return is_open and bytes(before.body) == digest and before.version == self._version(finding)

    def _version(self, finding: Finding) -> int | None:
        return self.report.run.catalogue.checks.get(finding.check)

    def _begin(self, finding: Finding, digest: bytes, before: AnyRow | None) -> dict[str, Any]:
        since = finding.drift.since if finding.drift is not None else None
        same = before is not None and (before.state, before.effect) == (state_of(finding), effect_digest(finding))
        if since is None and before is not None and same:
            since = before.since  # whatever else about it changed: its state did not
        return {
            "scope_set_id": self.scope_set_id,
            "finding_id": finding.id,
            "state": state_of(finding),
            "effect": effect_digest(finding),
            "version": self._version(finding),
            "body": digest,
            "since": since or self.report.run.started_at,
            "first_seq": self.seq,
            "last_seq": None,
            "absent_seq": None,
            "pending": False,
        }

    def _insert_bodies(self, bodies: Mapping[bytes, bytes]) -> None:
        rows = [{"digest": digest, "content": squeezed(content)} for digest, content in bodies.items()]
        _insert_new(self.connection, body, rows)

    def _end(self, ids: list[int], *, pending: bool, absent_seq: int | None = None) -> None:
        """End stays with the run before this one; those that had ended already keep their end."""
        for chunk in _chunks(ids):
            self.connection.execute(
                sa.update(stay)
                .where(stay.c.id.in_(chunk))
                .values(
                    last_seq=sa.func.coalesce(stay.c.last_seq, self.seq - 1),
                    pending=pending,
                    absent_seq=absent_seq,
                )
            )

    def _end_absent(self, last: Mapping[str, AnyRow]) -> None:
        """End the stays of findings that this run does not have; remember whether it proves them absent."""
        made = {finding.id for finding in self.report.findings}
        absent = {id_: row for id_, row in last.items() if id_ not in made}
        proved = self._proved_absent(absent)
        self._end([row.id for id_, row in absent.items() if id_ in proved], pending=False, absent_seq=self.seq)
        # Those that still have an end to get, or a pending mark to keep.
        open_ = [row.id for id_, row in absent.items() if id_ not in proved and row.last_seq is None]
        self._end(open_, pending=True)

    def _proved_absent(self, absent: Mapping[str, AnyRow]) -> set[str]:
        """Which of these findings are over, by what this run read and decided."""
        contents = _contents(self.connection, {bytes(row.body) for row in absent.values()})
        return {finding.id for finding in contents if self.absences.why(finding).proved}


def _contents(connection: Connection, digests: Iterable[bytes]) -> Iterable[Finding]:
    for chunk in _chunks(sorted(digests)):
        for row in connection.execute(sa.select(body.c.content).where(body.c.digest.in_(chunk))):
            yield unpacked_finding(bytes(row.content), None, None)


def _save_resources(connection: Connection, resources: tuple[ResourceChange, ...], scope_set_id: int, seq: int) -> None:
    listed = {fold(each.id): packed_resource(each) for each in resources}
    open_ = presence.c.last_seq.is_(None)
    rows = connection.execute(
        sa.select(presence.c.id, presence.c.resource).where(presence.c.scope_set_id == scope_set_id, open_)
    )
    before = {row.resource: row.id for row in rows}
    now = set(listed.values())
    for chunk in _chunks([id_ for resource, id_ in before.items() if resource not in now]):
        connection.execute(sa.update(presence).where(presence.c.id.in_(chunk)).values(last_seq=seq - 1))
    new = [resource for resource in listed.values() if resource not in before]
    _insert(
        connection,
        presence,
        [{"scope_set_id": scope_set_id, "resource": each, "first_seq": seq, "last_seq": None} for each in new],
    )


def _save_topologies(connection: Connection, topologies: tuple[Topology, ...], scope_set_id: int, seq: int) -> None:
    """A network that is as it was goes on; one that changed or went ends with the run before."""
    now = {fold(each.cluster): packed_topology(each) for each in topologies}
    open_ = (topology.c.scope_set_id == scope_set_id) & topology.c.last_seq.is_(None)
    rows = connection.execute(sa.select(topology.c.id, topology.c.cluster, topology.c.content).where(open_)).all()
    same = {row.cluster for row in rows if now.get(row.cluster) == bytes(row.content)}
    for chunk in _chunks([row.id for row in rows if row.cluster not in same]):
        connection.execute(sa.update(topology).where(topology.c.id.in_(chunk)).values(last_seq=seq - 1))
    new = [
        {"scope_set_id": scope_set_id, "cluster": cluster, "content": content, "first_seq": seq, "last_seq": None}
        for cluster, content in now.items()
        if cluster not in same
    ]
    _insert(connection, topology, new)


def _insert(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _insert_new(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows that are not there yet."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def _chunks(values: list[Any]) -> Iterable[list[Any]]:
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))
