"""Messages to be sent on: kept until they are delivered, whatever happens to the process.

Written out in full: a migration describes its own time, not what the tables are today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "outgoing",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("put_at", sa.Text, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("next_at", sa.Text),
        sa.Column("ended_at", sa.Text),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("outgoing_due", "outgoing", ["next_at"])


def downgrade() -> None:
    """There is no way back, as from every schema."""
    raise NotImplementedError("a history is not taken back to an older schema: restore a backup instead")
