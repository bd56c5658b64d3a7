"""What the service keeps: tokens and sessions, scans that were asked for, firings of schedules.

Written out in full: a migration describes its own time, not what the tables are today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("state IN ('queued', 'running', 'cancelling')")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "api_token",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
        sa.Column("revoked_at", sa.Text),
    )
    op.create_table(
        "browser_session",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("token_id", sa.Text, sa.ForeignKey("api_token.id", ondelete="CASCADE"), nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
    )
    op.create_table(
        "scan_job",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("scan_key", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("instance", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text),
        sa.Column("finished_at", sa.Text),
        sa.Column("run_id", sa.Text),
        sa.Column("exit_status", sa.BigInteger),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index(
        "scan_job_unfinished",
        "scan_job",
        ["scan_key"],
        unique=True,
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index("scan_job_by_time", "scan_job", ["asked_at"])
    op.create_table(
        "scan_asking",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("job_id", sa.Text, sa.ForeignKey("scan_job.id", ondelete="CASCADE"), nullable=False),
        sa.Column("scan_key", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Text, nullable=False),
    )
    op.create_table(
        "firing",
        sa.Column("schedule", sa.Text, primary_key=True),
        sa.Column("local", sa.Text, primary_key=True),
        sa.Column("scheduled_at", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("instance", sa.BigInteger, nullable=False),
        sa.Column("told_at", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Tokens and schedules would be lost."""
    raise NotImplementedError("a history is not taken back to an older schema: restore a backup instead")
