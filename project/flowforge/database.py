"""Failing fast: is there a database at all?"""

import psycopg

CONNECT_TIMEOUT_S = 3


def require(url: str) -> None:
    """Returns if the database takes a connection, or raises psycopg.OperationalError in seconds."""
    psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S).close()
