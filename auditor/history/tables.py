"""The tables, as the newest migration leaves them.

A run's findings are not stored a run: a `stay` row says from which run to which a finding was one and the same, and its
content lies once in `body`. So an unchanged night adds one row to `run`, and nothing else.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

AnyRow = Row[*tuple[Any, ...]]
"""A row of whichever columns."""

metadata = sa.MetaData()
_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")

scope_set = sa.Table(
    "scope_set",
    metadata,
    sa.Column("id", _number, primary_key=True),
    sa.Column("scopes", sa.Text, nullable=False, unique=True),  # JSON list of sorted, folded ids
    sa.Column("last_seq", sa.BigInteger, nullable=False),  # the number of its newest run, also if that was pruned
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("scope_set_id", _number, sa.ForeignKey("scope_set.id"), nullable=False),
    # Runs of a scope set are ordered by the order in which they were saved: a clock may be set back.
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("pinned", sa.Boolean, nullable=False),
    sa.Column("lists_resources", sa.Boolean, nullable=False),
    sa.Column("header", sa.LargeBinary, nullable=False),  # zlib, JSON: the report without its findings
    sa.UniqueConstraint("scope_set_id", "seq", name="run_order"),
)

body = sa.Table(
    "body",
    metadata,
    sa.Column("digest", sa.LargeBinary(16), primary_key=True),  # BLAKE2b over the content
    sa.Column("content", sa.LargeBinary, nullable=False),  # zlib, JSON: a finding but for what a run says of it
)

stay = sa.Table(
    "stay",
    metadata,
    sa.Column("id", _number, primary_key=True),
    sa.Column("scope_set_id", _number, sa.ForeignKey("scope_set.id"), nullable=False),
    sa.Column("finding_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # an outcome, or `gone`
    sa.Column("effect", sa.Text),  # the digest of the effect
    sa.Column("version", sa.BigInteger),  # of its check; null: not known
    sa.Column("body", sa.LargeBinary(16), sa.ForeignKey("body.digest"), nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger),  # null: the newest run still shows it
    # After the last run that shows it: the run that proved it absent, and whether that is still to be proved.
    sa.Column("absent_seq", sa.BigInteger),
    sa.Column("pending", sa.Boolean, nullable=False),
    sa.Index("stay_by_finding", "finding_id", "scope_set_id"),
    sa.Index("stay_body", "body"),
    # A finding has one open stay at most, whatever two writers do.
    sa.Index(
        "stay_open",
        "scope_set_id",
        "finding_id",
        unique=True,
        sqlite_where=sa.text("last_seq IS NULL"),
        postgresql_where=sa.text("last_seq IS NULL"),
    ),
    sa.Index(
        "stay_pending",
        "scope_set_id",
        sqlite_where=sa.text("pending"),
        postgresql_where=sa.text("pending"),
    ),
)

remark = sa.Table(
    "remark",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("finding_id", sa.Text, primary_key=True),
    sa.Column(
        "content", sa.Text, nullable=False
    ),  # JSON: what this run alone says of the finding (drift, confirmed, …)
)

presence = sa.Table(
    "presence",
    metadata,
    sa.Column("id", _number, primary_key=True),
    sa.Column("scope_set_id", _number, sa.ForeignKey("scope_set.id"), nullable=False),
    sa.Column("resource", sa.Text, nullable=False),  # JSON: id, type, name, fingerprint
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger),
    sa.Index(
        "presence_open",
        "scope_set_id",
        "resource",
        unique=True,
        sqlite_where=sa.text("last_seq IS NULL"),
        postgresql_where=sa.text("last_seq IS NULL"),
    ),
)

topology = sa.Table(
    "topology",
    metadata,
    sa.Column("id", _number, primary_key=True),
    sa.Column("scope_set_id", _number, sa.ForeignKey("scope_set.id"), nullable=False),
    sa.Column("cluster", sa.Text, nullable=False),  # folded id
    sa.Column("content", sa.LargeBinary, nullable=False),  # zlib, JSON: its network and the findings that judge it
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger),
    sa.Index(
        "topology_open",
        "scope_set_id",
        "cluster",
        unique=True,
        sqlite_where=sa.text("last_seq IS NULL"),
        postgresql_where=sa.text("last_seq IS NULL"),
    ),
)

# ---- what the service keeps

api_token = sa.Table(
    "api_token",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),  # SHA-256 over the token, which itself is kept nowhere
    sa.Column("roles", sa.Text, nullable=False),  # separated by spaces
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False),
    sa.Column("revoked_at", sa.Text),
)

browser_session = sa.Table(
    "browser_session",
    metadata,
    sa.Column("digest", sa.LargeBinary(32), primary_key=True),  # SHA-256 over the cookie's value
    sa.Column("token_id", sa.Text, sa.ForeignKey("api_token.id", ondelete="CASCADE"), nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False),
)

_UNFINISHED = sa.text("state IN ('queued', 'running', 'cancelling')")

scan_job = sa.Table(
    "scan_job",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("scan_key", sa.Text, nullable=False),  # equal for equal scopes and checks
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("request", sa.Text, nullable=False),  # JSON: scopes and checks
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("instance", sa.BigInteger, nullable=False),  # whose process has it
    sa.Column("asked_at", sa.Text, nullable=False),
    sa.Column("started_at", sa.Text),
    sa.Column("finished_at", sa.Text),
    sa.Column("run_id", sa.Text),
    sa.Column("exit_status", sa.BigInteger),
    sa.Column("note", sa.Text, nullable=False),
    # Of equal scans one is unfinished at most, whatever two instances do.
    sa.Index(
        "scan_job_unfinished",
        "scan_key",
        unique=True,
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    ),
    sa.Index("scan_job_by_time", "asked_at"),
)

scan_asking = sa.Table(
    "scan_asking",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # SHA-256 over the caller and their Idempotency-Key
    sa.Column("job_id", sa.Text, sa.ForeignKey("scan_job.id", ondelete="CASCADE"), nullable=False),
    sa.Column("scan_key", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Text, nullable=False),
)

firing = sa.Table(
    "firing",
    metadata,
    sa.Column("schedule", sa.Text, primary_key=True),
    sa.Column("local", sa.Text, primary_key=True),  # the wall clock's time: the firing's identity
    sa.Column("scheduled_at", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # running, done, failed, missed, interrupted, before
    sa.Column("instance", sa.BigInteger, nullable=False),
    sa.Column("told_at", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    # Counted up whenever somebody begins: only the newest may say what became of it, and only once.
    sa.Column("attempt", sa.BigInteger, nullable=False, server_default="1"),
    sa.Column("run_id", sa.Text),  # written in the transaction that keeps the run
)

outgoing = sa.Table(
    "outgoing",
    metadata,
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),  # the same however often it is sent
    sa.Column("content", sa.Text, nullable=False),  # JSON
    sa.Column("put_at", sa.Text, nullable=False),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("next_at", sa.Text),  # null: delivered, or given up
    sa.Column("ended_at", sa.Text),
    sa.Column("note", sa.Text, nullable=False),
    sa.Index("outgoing_due", "next_at"),
)
