"""Two columns more, both empty at first.

A nullable column without a default is only a note in the catalogue: no row is touched, whatever their number.
"""

from alembic import op

revision = "002"
down_revision = "001"


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN assigned_worker text, ADD COLUMN priority integer")


def downgrade() -> None:
    op.execute("ALTER TABLE tasks DROP COLUMN priority, DROP COLUMN assigned_worker")
