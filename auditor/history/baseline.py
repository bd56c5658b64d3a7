"""Choosing what a scan is compared with, and gathering what was known before it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from auditor.drift import Against, Known, Seen
from auditor.findings import Report
from auditor.history.reports import find_run, report_of, resources_of
from auditor.history.rows import unpacked_finding
from auditor.history.tables import AnyRow, body, run, scope_set, stay
from auditor.values import Outcome

_CHUNK = 500


def choose(connection: Connection, key: str, choice: str) -> Against | None:
    """The baseline for a scope set: `auto`, or a run's id."""
    row = _auto(connection, key) if choice == "auto" else find_run(connection, choice)
    if row is None:
        return None
    report = report_of(connection, row)
    return Against(
        report=report,
        pinned=row.pinned,
        last_known=_last_known(connection, row, report),
        seen=_seen(connection, row),
        resources=resources_of(connection, row),
    )


def _auto(connection: Connection, key: str) -> AnyRow | None:
    """The pinned run of the scope set, else its newest complete one."""
    return connection.execute(
        sa.select(run)
        .join(scope_set, scope_set.c.id == run.c.scope_set_id)
        .where(scope_set.c.scopes == key, run.c.pinned | run.c.complete)
        .order_by(run.c.pinned.desc(), run.c.seq.desc())
        .limit(1)
    ).first()


def _last_known(connection: Connection, row: AnyRow, report: Report) -> dict[str, Known]:
    """The last decided state, before this run, of each finding that the run itself leaves open."""
    decided = {finding.id for finding in report.findings if finding.outcome is not Outcome.UNKNOWN}
    undecided = {finding.id for finding in report.findings} - decided
    if report.run.complete and not undecided:
        return {}
    bodies: dict[str, tuple[bytes, str]] = {}
    for finding_id, stays in _stays_until(connection, row.scope_set_id, row.seq):
        if finding_id not in decided and (last := _last_decided(stays, row.seq)) is not None:
            bodies[finding_id] = bytes(last.body), last.since
    contents = _contents(connection, sorted({digest for digest, _ in bodies.values()}))
    return {
        finding_id: Known(unpacked_finding(contents[digest], None, None), since)
        for finding_id, (digest, since) in bodies.items()
    }


def _seen(connection: Connection, row: AnyRow) -> dict[str, tuple[Seen, ...]]:
    """The state in which the newest run saw each finding, and the last decided one if that is another."""
    newest = connection.execute(sa.select(scope_set.c.last_seq).where(scope_set.c.id == row.scope_set_id)).scalar_one()
    seen = {}
    for finding_id, stays in _stays_until(connection, row.scope_set_id, newest):
        states = []
        if stays[0].last_seq is None and stays[0].state == Outcome.UNKNOWN:
            states.append(Seen(Outcome.UNKNOWN, stays[0].effect, stays[0].since))
        if (last := _last_decided(stays, newest)) is not None:
            states.append(Seen(Outcome(last.state), last.effect, last.since))
        if states:
            seen[finding_id] = tuple(states)
    return seen


def _stays_until(connection: Connection, scope_set_id: int, seq: int) -> Iterator[tuple[str, list[AnyRow]]]:
    """Each finding's stays that had begun by a run, newest first."""
    rows = connection.execute(
        sa.select(
            stay.c.finding_id,
            stay.c.state,
            stay.c.effect,
            stay.c.body,
            stay.c.since,
            stay.c.last_seq,
            stay.c.absent_seq,
        )
        .where(stay.c.scope_set_id == scope_set_id, stay.c.first_seq <= seq)
        .order_by(stay.c.finding_id, stay.c.first_seq.desc())
    )
    return ((finding_id, list(stays)) for finding_id, stays in groupby(rows, lambda each: str(each.finding_id)))


def _last_decided(stays: list[AnyRow], seq: int) -> AnyRow | None:
    """The newest decided state, unless the finding was seen to be gone after it."""
    for each in stays:
        if each.state == "gone" or (each.absent_seq is not None and each.absent_seq <= seq):
            return None
        if each.state != Outcome.UNKNOWN:
            return each
    return None


def _contents(connection: Connection, digests: list[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for at in range(0, len(digests), _CHUNK):
        rows = connection.execute(sa.select(body).where(body.c.digest.in_(digests[at : at + _CHUNK])))
        found.update((bytes(each.digest), bytes(each.content)) for each in rows)
    return found
