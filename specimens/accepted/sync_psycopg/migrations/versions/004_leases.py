"""Who runs which task, and until when that holds.

A table of its own: a heartbeat then writes a row of a few bytes, and never waits for somebody who holds the
task. A lease goes with its task.
"""

from alembic import op

revision = "004"
down_revision = "003"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE leases (
            task_id    uuid        NOT NULL,
            token      uuid        NOT NULL,
            expires_at timestamptz NOT NULL,
            CONSTRAINT leases_pkey PRIMARY KEY (task_id),
            CONSTRAINT leases_task FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE leases")
