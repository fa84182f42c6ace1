"""Give every task a priority.

The default comes first: from then on no new row lacks a priority, and the backfill finds all that do. It is
one transaction, so whoever writes meanwhile waits for its end and then meets the finished table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("tasks", "priority", server_default="0")
    op.execute(sa.text("UPDATE tasks SET priority = 0 WHERE priority IS NULL"))
    op.alter_column("tasks", "priority", nullable=False)


def downgrade() -> None:
    op.alter_column("tasks", "priority", nullable=True)
    op.alter_column("tasks", "priority", server_default=None)
