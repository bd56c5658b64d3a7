"""Choosing what a scan is compared with, and gathering what was known before it."""

from __future__ import annotations

from collections.abc import Mapping
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
    newest = sa.select(scope_set.c.last_seq).where(scope_set.c.id == row.scope_set_id)
    stays = _stays(connection, row.scope_set_id)
    return Against(
        report=report,
        pinned=row.pinned,
        last_known=_last_known(connection, row.seq, report, stays),
        seen=_seen(connection.execute(newest).scalar_one(), stays),
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


def _last_known(
    connection: Connection, seq: int, report: Report, stays: Mapping[str, list[AnyRow]]
) -> dict[str, Known]:
    """The last decided state, before this run, of each finding that the run itself leaves open.

    A verdict of another version of its check says nothing that could be compared.
    """
    decided = {finding.id for finding in report.findings if finding.outcome is not Outcome.UNKNOWN}
    last = {
        finding_id: found
        for finding_id, rows in stays.items()
        if finding_id not in decided and (found := _last_decided(rows, seq)) is not None
    }
    contents = _contents(connection, sorted({bytes(each.body) for each in last.values()}))
    known = {
        finding_id: Known(unpacked_finding(contents[bytes(each.body)], None, None), each.since)
        for finding_id, each in last.items()
    }
    versions = report.run.catalogue.checks
    return {
        finding_id: each
        for finding_id, each in known.items()
        if versions.get(each.finding.check) == last[finding_id].version
    }


def _seen(newest: int, stays: Mapping[str, list[AnyRow]]) -> dict[str, tuple[Seen, ...]]:
    """The state in which the newest run saw each finding, and the last decided one if that is another."""
    seen = {}
    for finding_id, rows in stays.items():
        states = []
        if rows[0].last_seq is None and rows[0].state == Outcome.UNKNOWN:
            states.append(Seen(Outcome.UNKNOWN, rows[0].effect, rows[0].since))
        if (last := _last_decided(rows, newest)) is not None:
            states.append(Seen(Outcome(last.state), last.effect, last.since))
        if states:
            seen[finding_id] = tuple(states)
    return seen


def _stays(connection: Connection, scope_set_id: int) -> dict[str, list[AnyRow]]:
    """Each finding's stays, newest first."""
    rows = connection.execute(
        sa.select(
            stay.c.finding_id,
            stay.c.state,
            stay.c.effect,
            stay.c.version,
            stay.c.body,
            stay.c.since,
            stay.c.first_seq,
            stay.c.last_seq,
            stay.c.absent_seq,
        )
        .where(stay.c.scope_set_id == scope_set_id)
        .order_by(stay.c.finding_id, stay.c.first_seq.desc())
    )
    return {finding_id: list(found) for finding_id, found in groupby(rows, lambda each: str(each.finding_id))}


def _last_decided(stays: list[AnyRow], seq: int) -> AnyRow | None:
    """The newest decided state by a run of this number, unless the finding was seen to be gone after it."""
    for each in stays:
        if each.first_seq > seq:
            continue
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
