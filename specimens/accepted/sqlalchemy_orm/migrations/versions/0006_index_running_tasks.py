"""Index the running tasks, among which workers look for lost ones.

By id, which never changes: the index stays as it is when a lease is prolonged. Like the queue's index it is
built CONCURRENTLY and anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME = "ix_tasks_running"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "tasks", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME,
            "tasks",
            ["id"],
            postgresql_where=sa.text("status = 'processing'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "tasks", if_exists=True, postgresql_concurrently=True)
