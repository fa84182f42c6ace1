"""The worker: looks for tasks, has them run, and says that it is alive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg

from flowforge import log
from flowforge.config import WorkerConfig
from flowforge.database import DatabaseUnavailable
from flowforge.worker_service import queue
from flowforge.worker_service.hands import Hands, Outcome
from flowforge.worker_service.link import Link
from flowforge.worker_service.queue import Me, Run

BEATS_A_LEASE = 4
RETRY_S = 0.5
LAST_WORDS_S = 3.0


class WorkerService:
    """`stop()` may come at any time, from a signal."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._me = Me(uuid4(), config.name, timedelta(seconds=config.lease), config.max_attempts)
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._time_is_up = asyncio.Event()
        self._link = Link(config.database_url, min(1.0, config.lease / 10), self._news.set)
        self._hands = Hands()
        self._work: dict[Run, asyncio.Task[Outcome]] = {}
        self._carriers: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        self._stopping.set()
        self._news.set()

    async def sign_on(self) -> None:
        """DatabaseUnavailable if there is no database. One that is not migrated yet may still become so."""
        try:
            await self._link.ask(partial(queue.sign_on, me=self._me))
        except asyncpg.PostgresError as error:
            log.event("error", "the database is not ready", error)

    async def work(self) -> None:
        """Until `stop()`; then let tasks finish as long as they may, give back the others, and sign off."""
        heart = asyncio.create_task(self._beat_for_ever())
        while not self._stopping.is_set():
            self._news.clear()
            await self._look()
        if self._carriers:
            await asyncio.wait(self._carriers, timeout=self._config.shutdown_timeout)
        self._time_is_up.set()
        heart.cancel()
        with suppress(TimeoutError, DatabaseUnavailable, asyncpg.PostgresError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._let_go()
        await self._hands.close()

    async def _look(self) -> None:
        """Claim a task if a hand is free. If there is none of either, wait for news, or for the next poll."""
        has_a_free_hand = len(self._work) < self._config.concurrency
        pause = self._config.poll_interval if has_a_free_hand else None
        if has_a_free_hand:
            try:
                for row in await self._link.ask(partial(queue.bury, me=self._me)):
                    log.event("warning", "task failed", row["error"], **about_task(row))
                claimed = await self._link.ask(partial(queue.claim, me=self._me))
            except (DatabaseUnavailable, asyncpg.PostgresError) as error:
                log.event("error", "tasks cannot be claimed", error)
                claimed, pause = None, min(self._config.poll_interval, RETRY_S)
            if claimed:
                self._start(*claimed)
                return
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._news.wait()

    def _start(self, run: Run, row: Any) -> None:
        """Called before anybody else asks the database: whatever is ours there is in `_work`."""
        self._work[run] = asyncio.create_task(self._hands.run(row["type"], row["payload"]))
        carrier = asyncio.create_task(self._carry(run, row))
        self._carriers.add(carrier)
        carrier.add_done_callback(self._carriers.discard)

    async def _carry(self, run: Run, row: Any) -> None:
        about = about_task(row)
        started = time.monotonic()
        log.event("info", "task claimed", **about, attempt=run.attempt)
        work = self._work[run]
        try:
            await asyncio.wait({work})
            if work.cancelled():
                log.event("warning", "task broken off", **about)
                return
            outcome = work.result()
            change = partial(queue.finish, me=self._me, run=run, result=outcome.result, error=outcome.error)
            ours = await self._insist(change, about)
            about["duration_ms"] = round((time.monotonic() - started) * 1000, 3)
            if not ours:
                log.event(
                    "warning",
                    "task ended, but its outcome is not recorded",
                    **about,
                )
            elif outcome.error is None:
                log.event("info", "task completed", **about)
            else:
                log.event("warning", "task failed", outcome.error or "no message", **about)
        except Exception as error:
            log.event("critical", "a run could not be brought to its end", error, **about)
        finally:
            del self._work[run]
            self._news.set()

    async def _insist(self, change: Callable[[Any], Awaitable[bool]], about: dict[str, Any]) -> bool:
        """Try until the database has taken a change, or until the time is up."""
        while True:
            try:
                return await self._link.ask(change)
            except asyncpg.LockNotAvailableError:
                pause = 0.0  # be the next in the row's queue, before anybody can take it for lost
            except DatabaseUnavailable as error:
                log.event("warning", "the outcome of a task has to wait", error, **about)
                pause = RETRY_S
            if self._time_is_up.is_set():
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._time_is_up.wait()

    async def _beat_for_ever(self) -> None:
        regular = self._config.lease / BEATS_A_LEASE
        while True:
            try:
                await self._beat()
                await asyncio.sleep(regular)
            except Exception as error:
                log.event("warning", "no sign of life could be given", error)
                await asyncio.sleep(min(regular, RETRY_S))

    async def _beat(self) -> None:
        """Say that we are alive, and put right what the table and we disagree on.

        A claim whose answer was lost with the connection is a task that is ours and that nobody runs.
        """
        ours = await self._link.ask(partial(queue.beat, me=self._me))
        forgotten = ours - self._work.keys()
        for run, work in self._work.items():
            if run not in ours:
                work.cancel()
        for run in forgotten:
            await self._link.ask(partial(queue.give_back, me=self._me, run=run))

    async def _let_go(self) -> None:
        late = list(self._work.items())
        for _, work in late:
            work.cancel()
        for run, _ in late:
            await self._link.ask(partial(queue.give_back, me=self._me, run=run))
        await self._link.ask(partial(queue.sign_off, me=self._me))
        await self._link.close()


def about_task(row: Any) -> dict[str, Any]:
    """What is on each line about a task."""
    return {"request_id": row["request_id"], "task_id": str(row["id"]), "task_title": row["title"]}
