"""Backfill priority, give it its default, and make it NOT NULL.

Why it is safe: no step locks the table for longer than an instant.
- The default comes first, so that no new nulls come in behind the backfill.
- The backfill walks along the primary key and commits every 5000 rows; a request that wants one of these
  rows waits for one batch at most.
- SET NOT NULL alone would read the whole table under a lock that stops everybody. A constraint that says the
  same is validated first, under a lock that lets reads and writes through; PostgreSQL then takes its word.

The steps commit one by one, so this is no single transaction: each can be repeated if one of them fails.
The way down keeps the values that were filled in; a null and the default mean the same.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE tasks ALTER COLUMN priority SET DEFAULT 0")
        op.execute(
            """
            DO $$
            DECLARE
                batch_start uuid := '00000000-0000-0000-0000-000000000000';
                batch_end uuid;
            BEGIN
                LOOP
                    SELECT id INTO batch_end
                    FROM tasks WHERE id >= batch_start ORDER BY id OFFSET 5000 LIMIT 1;
                    UPDATE tasks SET priority = 0
                    WHERE priority IS NULL AND id >= batch_start AND (batch_end IS NULL OR id < batch_end);
                    EXIT WHEN batch_end IS NULL;
                    COMMIT;
                    batch_start := batch_end;
                END LOOP;
            END
            $$
            """
        )
        op.execute("ALTER TABLE tasks DROP CONSTRAINT IF EXISTS tasks_priority_present")
        op.execute(
            "ALTER TABLE tasks ADD CONSTRAINT tasks_priority_present CHECK (priority IS NOT NULL) NOT VALID"
        )
        op.execute("ALTER TABLE tasks VALIDATE CONSTRAINT tasks_priority_present")
        op.execute("ALTER TABLE tasks VALIDATE CONSTRAINT tasks_priority_range")
        op.execute("ALTER TABLE tasks ALTER COLUMN priority SET NOT NULL")
        op.execute("ALTER TABLE tasks DROP CONSTRAINT tasks_priority_present")


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE tasks
            ALTER COLUMN priority DROP NOT NULL,
            ALTER COLUMN priority DROP DEFAULT,
            DROP CONSTRAINT tasks_priority_range,
            ADD CONSTRAINT tasks_priority_range CHECK (priority BETWEEN -100 AND 100) NOT VALID
        """
    )
