"""The one connection that a worker has: everything goes through it, one statement after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from flowforge.database import (
    CLOSED_DOOR,
    CONNECT_PATIENCE_S,
    DatabaseUnavailable,
    one_line,
    teach_json,
)

STATEMENT_PATIENCE_S = 5.0
CHANNEL = "tasks_added"

Answer = TypeVar("Answer")


class Link:
    """Opened when it is first needed, and again whenever it has broken.

    `on_news` is called when tasks have been added, and when the link breaks. No statement waits longer for a
    lock than `lock_patience` seconds: the others wait behind it.
    """

    def __init__(self, url: str, lock_patience: float, on_news: Callable[[], None]) -> None:
        self._url = url
        self._settings = {
            "lock_timeout": str(max(1, round(lock_patience * 1000))),
            # a plan that was made for a small table would stay when the table has grown
            "plan_cache_mode": "force_custom_plan",
        }
        self._on_news = on_news
        self._turn = asyncio.Lock()
        self._connection: Any = None

    async def ask(self, question: Callable[[Any], Awaitable[Answer]]) -> Answer:
        """What `question` makes of the connection. DatabaseUnavailable if there is none, or it breaks.

        Whoever asks goes on before anybody else is given an answer.
        """
        async with self._turn:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                return await question(self._connection)
            except CLOSED_DOOR as error:
                self._drop()
                raise DatabaseUnavailable(one_line(error)) from error
            except asyncio.CancelledError:
                self._drop()
                raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close(timeout=1)

    async def _connect(self) -> Any:
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_PATIENCE_S,
            command_timeout=STATEMENT_PATIENCE_S,
            server_settings=self._settings,
        )
        await teach_json(connection)
        await connection.add_listener(CHANNEL, self._hear)
        connection.add_termination_listener(self._hear)
        return connection

    def _hear(self, *_news: object) -> None:
        self._on_news()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()
