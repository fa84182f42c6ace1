"""Add assigned_worker and priority.

Both are nullable and without a default: no row is rewritten, and what does not know the columns works on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("assigned_worker", sa.Text))
    op.add_column("tasks", sa.Column("priority", sa.SmallInteger))
    op.create_check_constraint(op.f("ck_tasks_priority"), "tasks", "priority BETWEEN -100 AND 100")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_tasks_priority"), "tasks", type_="check")
    op.drop_column("tasks", "priority")
    op.drop_column("tasks", "assigned_worker")
