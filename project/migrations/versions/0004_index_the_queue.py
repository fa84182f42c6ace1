"""Index the pending tasks in the order in which workers claim them.

Why it is safe: CONCURRENTLY builds and drops the index while everybody reads and writes. It cannot run in a
transaction; a build that fails leaves an invalid index behind, which is dropped first when this is repeated.

Only pending rows are in the index, so it stays as small as the queue, however many tasks are done.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS tasks_queue")
        op.execute(
            """
            CREATE INDEX CONCURRENTLY tasks_queue ON tasks (priority DESC, created_at, id)
                WHERE status = 'pending'
            """
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS tasks_queue")
