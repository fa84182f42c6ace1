"""The way to the database, and what tells a lost one from a mistake of ours."""

import asyncio
import math
import time
from contextlib import suppress
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import event, exc, text
from sqlalchemy.ext.asyncio import create_async_engine

CONNECT_PATIENCE_S = 3.0
PING_PATIENCE_S = 4.0
SIGN_OF_LIFE_S = 3.0
POOL_PATIENCE_S = 30.0
GOODBYE_PATIENCE_S = 2.0

_LOST = (
    OSError,
    TimeoutError,
    exc.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


class Database:
    """An engine that never has more than `pool_max` connections and tries each before it lends it out."""

    def __init__(self, url: str, pool_max: int) -> None:
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(asyncpg.connect, dsn=url, timeout=CONNECT_PATIENCE_S),
            pool_size=pool_max,
            max_overflow=0,
            pool_timeout=POOL_PATIENCE_S,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        self._question: asyncio.Task[None] | None = None
        self._last_return = -math.inf
        event.listen(self.engine.sync_engine, "checkin", self._on_return)

    async def ping(self) -> None:
        """Ask the database for an answer; TimeoutError if none comes, or whatever else went wrong.

        The question is a task of its own: on a connection that hangs even giving up takes time, and whoever
        asked shall not wait for that. All who ask at the same time share it. While no connection is free for
        it, the answers that others get will do.
        """
        if self._question is None or self._question.done():
            self._question = asyncio.create_task(self._select_one())
            self._question.add_done_callback(_forget)
        question = self._question
        await asyncio.wait({question}, timeout=PING_PATIENCE_S)
        if question.done() and not question.cancelled():
            await question
        elif time.monotonic() - self._last_return > SIGN_OF_LIFE_S:
            question.cancel()
            self._question = None
            raise TimeoutError(f"no answer within {PING_PATIENCE_S:.0f} seconds")

    async def close(self) -> None:
        """Close the pool, but do not wait for ever for a server that does not answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_PATIENCE_S):
                await self.engine.dispose()

    async def _select_one(self) -> None:
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    def _on_return(self, connection: Any, _record: Any) -> None:
        if connection is not None:  # what is broken comes back as None
            self._last_return = time.monotonic()


def is_lost(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, means that the database cannot be reached just now."""
    while error is not None:
        if isinstance(error, _LOST):
            return True
        if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
            return True
        error = getattr(error, "orig", None) or error.__cause__
    return False


def reason(error: BaseException) -> str:
    """What an error says, in one line."""
    root = getattr(error, "orig", None) or error
    return " ".join(str(root).split()) or f"no answer within {CONNECT_PATIENCE_S:.0f} seconds"


def _forget(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
