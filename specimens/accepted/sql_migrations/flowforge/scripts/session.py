"""A script's connection to the database."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from flowforge.config import read_database_url
from flowforge.database import CONNECT_PATIENCE_S

STATEMENT_PATIENCE_S = 600.0
LOCK_PATIENCE = "10s"


@asynccontextmanager
async def transaction() -> AsyncIterator[asyncpg.Connection]:
    """A connection, for changes that are all made at the end of the block, or none. asyncpg's errors."""
    connection = await asyncpg.connect(
        read_database_url(),
        timeout=CONNECT_PATIENCE_S,
        command_timeout=STATEMENT_PATIENCE_S,
        server_settings={"lock_timeout": LOCK_PATIENCE, "application_name": "flowforge script"},
    )
    try:
        async with connection.transaction():
            yield connection
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # too late: what is being committed is done
    finally:
        await connection.close(timeout=2)
