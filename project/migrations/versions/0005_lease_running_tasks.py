"""Lease running tasks to their workers: leased_until, and an index that finds them.

Why it is safe: a nullable column is an entry in the catalogue, and so is the fill factor, which takes a lock
that lets reads and writes through. CONCURRENTLY builds the index beside them; a build that failed leaves an
invalid index, which is dropped first when this is repeated.

The index holds ids and not leases, so that a heartbeat changes no index; with room left in every page, the
row's next version then fits beside the old one (a HOT update).
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN IF NOT EXISTS leased_until timestamptz")
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE tasks SET (fillfactor = 70)")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS tasks_running")
        op.execute("CREATE INDEX CONCURRENTLY tasks_running ON tasks (id) WHERE status = 'processing'")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS tasks_running")
        op.execute("ALTER TABLE tasks RESET (fillfactor)")
    op.execute("ALTER TABLE tasks DROP COLUMN IF EXISTS leased_until")
