"""The worker: claims tasks while it has hands free, and carries each to its end in a coroutine of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import structlog

from flowforge.database import is_locked, is_passing, reason
from flowforge.settings import WorkerSettings
from flowforge.worker.kinds import Outcome, perform
from flowforge.worker.presence import Presence
from flowforge.worker.queue import Claim, TaskQueue

log = structlog.get_logger("flowforge.worker")

BEATS_A_LEASE = 4
RETRY_S = 0.5
LAST_WORDS_S = 3.0


class Worker:
    """Runs up to `worker_concurrency` tasks at a time, until it is told to stop."""

    def __init__(self, settings: WorkerSettings, queue: TaskQueue, presence: Presence) -> None:
        self._settings = settings
        self._queue = queue
        self._presence = presence
        self._beat_s = settings.worker_lease / BEATS_A_LEASE
        self._runs: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._news = asyncio.Event()
        self._time_is_up = asyncio.Event()

    def stop(self) -> None:
        """Claim nothing more. May be called any number of times."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        """Work until `stop()`; then let go of everything within `shutdown_timeout` and a few seconds."""
        heart = asyncio.create_task(self._beat())
        while not self._stopping:
            self._news.clear()
            await self._look_once()
        if self._runs:
            await asyncio.wait(self._runs, timeout=self._settings.shutdown_timeout)
        self._time_is_up.set()
        await asyncio.wait({heart, *self._runs}, timeout=LAST_WORDS_S)

    async def _beat(self) -> None:
        """Say that this worker lives, until the time is up."""
        pause = self._beat_s
        while not self._time_is_up.is_set():
            try:
                await self._presence.say()
                pause = self._beat_s
            except Exception as error:
                log.warning("no sign of life could be given", error=reason(error))
                pause = min(self._beat_s, RETRY_S) if is_passing(error) else self._beat_s
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._time_is_up.wait()
        with suppress(Exception):  # a row that stays is a worker that was lost, which is no lie
            await self._presence.leave()

    async def _look_once(self) -> None:
        """Claim what there is to claim. If there is nothing, wait for news, or for the next poll.

        A claim is never cut off: nobody would know what it has taken.
        """
        free = self._settings.worker_concurrency - len(self._runs)
        pause = self._settings.worker_poll_interval if free else None
        if free:
            try:
                claims = await self._queue.claim(free)
            except Exception as error:
                log.error("tasks cannot be claimed", error=reason(error), exc_info=not is_passing(error))
                claims, pause = [], min(self._settings.worker_poll_interval, RETRY_S)
            for claim in claims:
                self._start(claim)
            if claims:
                return
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._news.wait()

    def _start(self, claim: Claim) -> None:
        run = asyncio.create_task(self._carry(claim))
        self._runs.add(run)
        run.add_done_callback(self._end)

    def _end(self, run: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        self._news.set()
        if not run.cancelled() and (error := run.exception()):
            log.critical("a run broke off", error=reason(error), exc_info=error)

    async def _carry(self, claim: Claim) -> None:
        about = log.bind(request_id=claim.request_id, task_id=str(claim.id), task_title=claim.title)
        about.info("task claimed", attempt=claim.attempt)
        started = time.monotonic()
        work = asyncio.create_task(perform(claim.type, claim.payload))
        stop = asyncio.create_task(self._time_is_up.wait())
        pause: float | None = self._beat_s
        try:
            while True:
                await asyncio.wait({work, stop}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    break
                if self._time_is_up.is_set():
                    if await self._record(partial(self._queue.give_back, claim), about):
                        about.warning("task given back")
                    return
                pause = await self._prolong(claim, about)
                if pause is None:
                    about.warning("task lost to another worker, or deleted")
                    return
            outcome = work.result()
            ours = await self._record(partial(self._queue.finish, claim, outcome), about)
            _tell(about, outcome, ours, round((time.monotonic() - started) * 1000, 3))
        finally:
            work.cancel()
            stop.cancel()

    async def _prolong(self, claim: Claim, about: structlog.stdlib.BoundLogger) -> float | None:
        """Seconds until the lease has to be prolonged again; None if the task is no longer ours."""
        try:
            return self._beat_s if await self._queue.prolong(claim) else None
        except Exception as error:
            about.warning("the lease cannot be prolonged", error=reason(error))
            return 0 if is_locked(error) else min(self._beat_s, RETRY_S)

    async def _record(
        self, change: Callable[[], Awaitable[bool]], about: structlog.stdlib.BoundLogger
    ) -> bool:
        """Try a change until it is done, or until the time is up."""
        while True:
            try:
                return await change()
            except Exception as error:
                if not is_passing(error):
                    raise
                about.warning("the outcome cannot be recorded yet", error=reason(error))
                pause = 0 if is_locked(error) else RETRY_S
            if self._time_is_up.is_set():
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._time_is_up.wait()


def _tell(about: structlog.stdlib.BoundLogger, outcome: Outcome, ours: bool, duration_ms: float) -> None:
    if not ours:
        about.warning(
            "task ended, but its outcome is not recorded",
            duration_ms=duration_ms,
        )
    elif outcome.error is None:
        about.info("task completed", duration_ms=duration_ms)
    else:
        about.warning("task failed", duration_ms=duration_ms, error=outcome.error)
