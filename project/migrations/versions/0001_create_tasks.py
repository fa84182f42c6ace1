"""Create tasks.

Why it is safe: nothing uses the table yet, so there is nobody to wait and there are no rows to check. Way
down, it takes all tasks with it.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    # The id is a UUID version 7: the time in milliseconds, then chance. Ids that grow keep their index dense.
    # PostgreSQL 18 has uuidv7(); for older ones we write the time over the first 48 bits of a random UUID
    # and turn its version from 4 (0100) into 7 (0111).
    #
    # The payload is json and not jsonb, because numbers must come back as they came: jsonb would turn 1e308
    # into 309 digits, and -0.0 into 0.0. Nothing searches in payloads, which is what jsonb is for.
    op.execute(
        """
        CREATE TABLE tasks (
            id uuid PRIMARY KEY DEFAULT encode(
                set_bit(
                    set_bit(
                        overlay(
                            uuid_send(gen_random_uuid())
                            PLACING substring(
                                int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3
                            )
                            FROM 1 FOR 6
                        ),
                        52, 1
                    ),
                    53, 1
                ),
                'hex'
            )::uuid,
            title text NOT NULL,
            description text NOT NULL DEFAULT '',
            status text NOT NULL DEFAULT 'pending',
            type text NOT NULL DEFAULT 'noop',
            payload json NOT NULL DEFAULT '{}',
            result json,
            error text,
            attempts integer NOT NULL DEFAULT 0,
            request_id text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT tasks_title_length CHECK (char_length(title) BETWEEN 1 AND 200),
            CONSTRAINT tasks_status_known CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
            CONSTRAINT tasks_payload_object CHECK (json_typeof(payload) = 'object')
        )
        """
    )
    op.execute("CREATE INDEX tasks_oldest_first ON tasks (created_at, id)")


def downgrade() -> None:
    op.execute("DROP TABLE tasks")
