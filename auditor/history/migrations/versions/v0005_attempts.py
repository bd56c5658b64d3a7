"""Which attempt at a firing may still say what became of it, and the run that it gave.

Written out in full: a migration describes its own time, not what the tables are today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was begun before was attempted once."""
    op.add_column("firing", sa.Column("attempt", sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("firing", sa.Column("run_id", sa.Text))


def downgrade() -> None:
    """There is no way back, as from every schema."""
    raise NotImplementedError("a history is not taken back to an older schema: restore a backup instead")
