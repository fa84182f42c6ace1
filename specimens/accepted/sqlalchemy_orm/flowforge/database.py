"""The way to the database: an engine with its pool, and what tells a lost database from our mistakes."""

import asyncio
from contextlib import suppress
from functools import partial

import asyncpg
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_PATIENCE_S = 3.0
PING_PATIENCE_S = 7.0  # a free connection included, for which a crowd may be waiting
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


def create_engine(url: str, pool_max: int) -> AsyncEngine:
    """An engine that never has more than `pool_max` connections and tries each before it lends it out."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(asyncpg.connect, dsn=url, timeout=CONNECT_PATIENCE_S),
        pool_size=pool_max,
        max_overflow=0,
        pool_timeout=POOL_PATIENCE_S,
        pool_pre_ping=True,
        hide_parameters=True,
    )


async def ping(engine: AsyncEngine) -> None:
    """Ask the database for an answer; TimeoutError if none comes, or whatever else went wrong.

    The question is a task of its own: on a connection that hangs even giving up takes time, and whoever
    asked shall not wait for that.
    """
    question = asyncio.create_task(_select_one(engine))
    done, _ = await asyncio.wait({question}, timeout=PING_PATIENCE_S)
    if not done:
        question.add_done_callback(_forget)
        question.cancel()
        raise TimeoutError(f"no answer within {PING_PATIENCE_S:.0f} seconds")
    await question


async def close(engine: AsyncEngine) -> None:
    """Close the pool, but do not wait for ever for a server that does not answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_PATIENCE_S):
            await engine.dispose()


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


async def _select_one(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


def _forget(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
