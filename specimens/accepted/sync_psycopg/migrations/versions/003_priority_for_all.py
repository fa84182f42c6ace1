"""Every task has a priority, within bounds, and the queue has its index.

With the default set first no new row can slip through between the backfill and NOT NULL. All of it happens
while this transaction holds the table, which is a moment for the sizes that a task table has.
"""

from alembic import op

revision = "003"
down_revision = "002"


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ALTER COLUMN priority SET DEFAULT 0")
    op.execute("UPDATE tasks SET priority = 0 WHERE priority IS NULL")
    op.execute("""
        ALTER TABLE tasks
            ALTER COLUMN priority SET NOT NULL,
            ADD CONSTRAINT tasks_priority_range CHECK (priority BETWEEN -100 AND 100)
    """)
    op.execute("""
        CREATE INDEX tasks_next ON tasks (priority DESC, created_at ASC, id ASC) WHERE status = 'pending'
    """)


def downgrade() -> None:
    op.execute("DROP INDEX tasks_next")
    op.execute("""
        ALTER TABLE tasks
            DROP CONSTRAINT tasks_priority_range,
            ALTER COLUMN priority DROP NOT NULL,
            ALTER COLUMN priority DROP DEFAULT
    """)
