"""The table of tasks."""

from alembic import op

revision = "001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE tasks (
            id          uuid        NOT NULL DEFAULT gen_random_uuid(),
            title       text        NOT NULL,
            description text        NOT NULL DEFAULT '',
            status      text        NOT NULL DEFAULT 'pending',
            type        text        NOT NULL DEFAULT 'noop',
            payload     jsonb       NOT NULL DEFAULT '{}',
            result      jsonb,
            error       text,
            attempts    integer     NOT NULL DEFAULT 0,
            request_id  text,
            created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
            updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT tasks_pkey PRIMARY KEY (id),
            CONSTRAINT tasks_title_length CHECK (char_length(title) BETWEEN 1 AND 200),
            CONSTRAINT tasks_known_status CHECK (status IN ('pending', 'processing', 'completed', 'failed'))
        )
    """)
    op.execute("CREATE INDEX tasks_in_order ON tasks (created_at, id)")


def downgrade() -> None:
    op.execute("DROP TABLE tasks")
