"""Add the lease of running tasks.

A task that is being run belongs to its worker until then. Nullable: a task that nobody runs has none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("leased_until", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("tasks", "leased_until")
