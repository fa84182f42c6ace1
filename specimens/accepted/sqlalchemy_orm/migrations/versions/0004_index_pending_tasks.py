"""Index the queue: pending tasks in the order in which workers take them.

Built CONCURRENTLY, so nobody waits for it. That cannot be done inside a transaction: a build that breaks off
leaves an invalid index behind, which is why a build first drops what it finds.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAME = "ix_tasks_queue"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "tasks", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME,
            "tasks",
            [sa.text("priority DESC"), "created_at", "id"],
            postgresql_where=sa.text("status = 'pending'"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "tasks", if_exists=True, postgresql_concurrently=True)
