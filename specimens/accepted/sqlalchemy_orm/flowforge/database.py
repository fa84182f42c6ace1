"""The way to the database, and what tells a lost one from a mistake of ours."""

import asyncio
import math
import time
from collections.abc import Iterator
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
    asyncpg.InternalClientError,  # a connection that died while it was being talked to
)


class Database:
    """An engine that never has more than `pool_max` connections and tries each before it lends it out.

    `options` go to asyncpg.connect().
    """

    def __init__(self, url: str, pool_max: int, **options: Any) -> None:
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(asyncpg.connect, dsn=url, timeout=CONNECT_PATIENCE_S, **options),
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


def is_lost(error: BaseException) -> bool:
    """Whether an error, or one that it came from, means that the database cannot be reached just now."""
    return any(
        isinstance(cause, _LOST) or (isinstance(cause, exc.DBAPIError) and cause.connection_invalidated)
        for cause in _causes(error)
    )


def is_locked(error: BaseException) -> bool:
    """Whether somebody else holds what a statement has waited for as long as it may."""
    return any(isinstance(cause, asyncpg.LockNotAvailableError) for cause in _causes(error))


def is_passing(error: BaseException) -> bool:
    """Whether the same statement may well succeed a little later."""
    return is_lost(error) or is_locked(error)


def reason(error: BaseException) -> str:
    """What an error says, in one line."""
    root = getattr(error, "orig", None) or error
    return " ".join(str(root).split()) or f"no answer within {CONNECT_PATIENCE_S:.0f} seconds"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = getattr(cause, "orig", None) or cause.__cause__


def _forget(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
