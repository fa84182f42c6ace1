"""Whether a worker lives, told by what PostgreSQL knows of its connections; there is no table for that.

A worker polls or prolongs its leases all the time, so a connection under its name has just said something. A
worker that has been killed has none, and one that is frozen keeps silent on it.
"""

from psycopg.sql import SQL

from flowforge.pool import Connection

WORKER = "flowforge-worker"
_SILENCE = SQL("""
    SELECT extract(epoch FROM clock_timestamp() - max(state_change))::float8 AS seconds
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %(name)s
""")


def worker_silence(connection: Connection) -> float | None:
    """For how many seconds no worker has said anything to this database; None if none is connected."""
    row = connection.execute(_SILENCE, {"name": WORKER}).fetchone()
    return None if row is None else row["seconds"]
