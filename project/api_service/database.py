"""The way to PostgreSQL: a bounded pool, and connections that are alive."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

# A request must have its 503 within 5 s of the database's going, so each wait is shorter than that.
CONNECT_TIMEOUT_S = 3
POOL_TIMEOUT_S = 3.0

# Giving up early keeps the pauses between attempts short: the next request starts a new one.
RECONNECT_TIMEOUT_S = 1.0


def create_pool(url: str, max_connections: int) -> AsyncConnectionPool:
    """A pool, not yet open, of connections in autocommit: every statement is a transaction of its own."""
    return AsyncConnectionPool(
        url,
        kwargs={"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S},
        min_size=1,
        max_size=max_connections,
        timeout=POOL_TIMEOUT_S,
        reconnect_timeout=RECONNECT_TIMEOUT_S,
        open=False,
    )


@asynccontextmanager
async def live_connection(pool: AsyncConnectionPool) -> AsyncIterator[AsyncConnection]:
    """Lends a connection that has just answered; dead ones (killed, server restarted) are replaced first.

    Raises psycopg.OperationalError when there is none in time. The pool's own `check=` is no help here: it
    pauses for a second, then two, then four between one dead connection and the next.
    """
    while True:
        async with pool.connection() as connection:
            if await is_alive(connection):
                yield connection
                return


async def is_alive(connection: AsyncConnection) -> bool:
    try:
        await AsyncConnectionPool.check_connection(connection)
    except psycopg.OperationalError:
        return False
    return True
