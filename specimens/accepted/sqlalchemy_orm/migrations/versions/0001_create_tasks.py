"""Create tasks.

Nothing else knows the table yet, so nothing can be in the way.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

status = postgresql.ENUM(
    "pending", "processing", "completed", "failed", name="task_status", create_type=False
)


def upgrade() -> None:
    status.create(op.get_bind())
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid, server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, server_default="", nullable=False),
        sa.Column("status", status, server_default="pending", nullable=False),
        sa.Column("type", sa.String(50), server_default="noop", nullable=False),
        sa.Column("payload", postgresql.JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("result", postgresql.JSONB),
        sa.Column("error", sa.Text),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.CheckConstraint("title <> ''", name=op.f("ck_tasks_title")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_tasks_attempts")),
    )
    op.create_index("ix_tasks_created_at", "tasks", ["created_at", "id"])


def downgrade() -> None:
    op.drop_table("tasks")
    status.drop(op.get_bind())
