"""Add assigned_worker and priority, both nullable.

Why it is safe: a nullable column without a default is an entry in the catalogue and touches no row, and a
constraint that is NOT VALID is not checked against the rows that exist. So the table is locked for an
instant only, however many rows it has. New rows are held to the constraint at once; 0003 looks at old ones.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN assigned_worker text, ADD COLUMN priority integer")
    op.execute(
        """
        ALTER TABLE tasks
            ADD CONSTRAINT tasks_priority_range CHECK (priority BETWEEN -100 AND 100) NOT VALID
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE tasks DROP CONSTRAINT tasks_priority_range")
    op.execute("ALTER TABLE tasks DROP COLUMN priority, DROP COLUMN assigned_worker")
