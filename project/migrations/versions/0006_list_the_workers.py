"""List the workers, so that somebody can tell whether one is alive.

Why it is safe: nothing uses the table yet. Way down, workers that still run log errors until they are gone.
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("CREATE TABLE workers (id text PRIMARY KEY, alive_until timestamptz NOT NULL)")


def downgrade() -> None:
    op.execute("DROP TABLE workers")
