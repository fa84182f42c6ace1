"""The pool, and how a question is put to the database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg

CONNECT_PATIENCE_S = 3.0
PING_PATIENCE_S = 3.0
PING_QUEUE_PATIENCE_S = 5.0
QUEUE_PATIENCE_S = 30.0

Answer = TypeVar("Answer")
Question = Callable[[Any], Awaitable[Answer]]

LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
CLOSED_DOOR = (
    *LOST,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class DatabaseUnavailable(Exception):
    """The database does not answer, or has not let us in. The text is one line."""


class ConnectionLost(Exception):
    """A connection that was lent to us is no good any more."""


def create_pool(url: str, largest: int) -> asyncpg.Pool:
    """A pool of up to `largest` connections, each opened when it is first needed."""
    return asyncpg.create_pool(
        url,
        min_size=0,
        max_size=largest,
        timeout=CONNECT_PATIENCE_S,
        init=teach_json,
        reset=_no_reset,  # nothing that we do outlives its transaction
    )


async def ask(
    pool: asyncpg.Pool,
    question: Question[Answer],
    *,
    repeatable: bool,
    patience: float = QUEUE_PATIENCE_S,
) -> Answer:
    """Put a question to the database. DatabaseUnavailable if it is not there; its own errors otherwise.

    Any number of connections may have died in the pool without anybody noticing. If nothing can happen twice,
    the question is put again on another one. `patience` is how long to wait for a free connection.
    """
    attempt = 1
    while True:
        try:
            return await _ask_once(pool, question, patience)
        except ConnectionLost as error:
            hangs = isinstance(error.__cause__, TimeoutError)
            if attempt > pool.get_max_size() or hangs or not repeatable:
                raise DatabaseUnavailable(str(error)) from error.__cause__
            attempt += 1


async def ping(pool: asyncpg.Pool) -> None:
    """DatabaseUnavailable unless the database answers within a few seconds."""

    async def question(connection: Any) -> None:
        await connection.execute("SELECT 1", timeout=PING_PATIENCE_S)

    await ask(pool, question, repeatable=True, patience=PING_QUEUE_PATIENCE_S)


async def close_pool(pool: asyncpg.Pool) -> None:
    """Close every connection, politely if the server still answers."""
    try:
        await asyncio.wait_for(pool.close(), 2)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


async def _ask_once(pool: asyncpg.Pool, question: Question[Answer], patience: float) -> Answer:
    try:
        connection = await pool.acquire(timeout=patience)
    except CLOSED_DOOR as error:
        raise DatabaseUnavailable(one_line(error)) from error
    try:
        return await question(connection)
    except LOST as error:
        _discard(connection)
        raise ConnectionLost(one_line(error)) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if not _is_gone(connection):
            raise
        raise ConnectionLost(one_line(error)) from error
    except asyncio.CancelledError:
        _discard(connection)
        raise
    finally:
        with suppress(*LOST, asyncpg.InterfaceError):
            await pool.release(connection)


def _is_gone(connection: Any) -> bool:
    """A pool takes back by itself what the other side has closed, and then answers no question about it."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def _discard(connection: Any) -> None:
    if not _is_gone(connection):
        connection.terminate()


def one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if not text and isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_PATIENCE_S:.0f} s"
    return text or type(error).__name__


async def teach_json(connection: asyncpg.Connection) -> None:
    """Make a connection turn json columns into Python's own types and back."""
    await connection.set_type_codec("json", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _no_reset(_connection: asyncpg.Connection) -> None:
    return None
