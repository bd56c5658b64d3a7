"""The first schema.

Written out in full: a migration describes its own time, not what the tables are today.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_open: dict[str, Any] = {
    "sqlite_where": sa.text("last_seq IS NULL"),
    "postgresql_where": sa.text("last_seq IS NULL"),
}


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "scope_set",
        sa.Column("id", _number, primary_key=True),
        sa.Column("scopes", sa.Text, nullable=False, unique=True),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("scope_set_id", _number, sa.ForeignKey("scope_set.id"), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("lists_resources", sa.Boolean, nullable=False),
        sa.Column("header", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("scope_set_id", "seq", name="run_order"),
    )
    op.create_table(
        "body",
        sa.Column("digest", sa.LargeBinary(16), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "stay",
        sa.Column("id", _number, primary_key=True),
        sa.Column("scope_set_id", _number, sa.ForeignKey("scope_set.id"), nullable=False),
        sa.Column("finding_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("effect", sa.Text),
        sa.Column("version", sa.BigInteger),
        sa.Column("body", sa.LargeBinary(16), sa.ForeignKey("body.digest"), nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger),
        sa.Column("absent_seq", sa.BigInteger),
        sa.Column("pending", sa.Boolean, nullable=False),
    )
    op.create_index("stay_by_finding", "stay", ["finding_id", "scope_set_id"])
    op.create_index("stay_body", "stay", ["body"])
    op.create_index("stay_open", "stay", ["scope_set_id", "finding_id"], unique=True, **_open)
    op.create_index(
        "stay_pending",
        "stay",
        ["scope_set_id"],
        sqlite_where=sa.text("pending"),
        postgresql_where=sa.text("pending"),
    )
    op.create_table(
        "remark",
        sa.Column("run_id", sa.Text, sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("finding_id", sa.Text, primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "presence",
        sa.Column("id", _number, primary_key=True),
        sa.Column("scope_set_id", _number, sa.ForeignKey("scope_set.id"), nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger),
    )
    op.create_index("presence_open", "presence", ["scope_set_id", "resource"], unique=True, **_open)


def downgrade() -> None:
    """There is nothing before the first schema."""
    raise NotImplementedError("a history is not taken back to an older schema: restore a backup instead")
