"""The networks of clusters, kept as findings are: a row for as long as one is as it was.

Written out in full: a migration describes its own time, not what the tables are today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "topology",
        sa.Column("id", _number, primary_key=True),
        sa.Column("scope_set_id", _number, sa.ForeignKey("scope_set.id"), nullable=False),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger),
    )
    op.create_index(
        "topology_open",
        "topology",
        ["scope_set_id", "cluster"],
        unique=True,
        sqlite_where=sa.text("last_seq IS NULL"),
        postgresql_where=sa.text("last_seq IS NULL"),
    )


def downgrade() -> None:
    """There is no way back, as from every schema."""
    raise NotImplementedError("a history is not taken back to an older schema: restore a backup instead")
