"""The worker: claims tasks, has them run, writes down how that ended, until it is told to stop."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import psycopg
import structlog

from worker_service.queue import LostTask, Outcome, Queue, Task, Turn
from worker_service.run import names, run
from worker_service.settings import WorkerSettings

log = structlog.get_logger()

# A lease outlives two heartbeats that did not get through.
BEATS_PER_LEASE = 3

# How soon a row that somebody had locked is tried again, and the database, at first and in the end.
RETRY_S = 0.2
LONGEST_RETRY_S = 2.0

# How long a run that is broken off may take to clean up.
BREAK_OFF_S = 1.0


@dataclass
class Every:
    """What is due again so many seconds after it was done."""

    seconds: float
    next: float = 0.0

    def wait(self) -> float:
        return max(self.next - monotonic(), 0.0)

    def done(self) -> None:
        self.next = monotonic() + self.seconds

    def hurry(self, seconds: float = 0.0) -> None:
        """Be due so soon, at the latest."""
        self.next = min(self.next, monotonic() + seconds)


class Worker:
    """Runs up to `worker_concurrency` tasks at a time."""

    def __init__(self, queue: Queue, settings: WorkerSettings) -> None:
        self.queue = queue
        self.concurrency = settings.worker_concurrency
        self.most_at_once = (self.concurrency + 1) // 2  # one half is claimed while the other runs
        self.look = Every(settings.worker_poll_interval)
        self.reap = Every(settings.worker_poll_interval)
        self.heartbeat = Every(settings.worker_lease / BEATS_PER_LEASE)
        self.running: dict[Task, asyncio.Task[None]] = {}
        self.ended: list[Outcome] = []  # not in the table yet
        self.stopping = asyncio.Event()
        self.changed = asyncio.Event()

    async def work(self) -> None:
        """Works until it is told to stop, and then until all that it runs has ended."""
        retry = RETRY_S
        while not self.finished():
            try:
                await self.take_turn()
                await self.wait_for_change(self.pause())
                retry = RETRY_S
            except psycopg.Error as error:
                log.error("the database cannot be used", error=str(error).strip())
                self.look.hurry()
                await self.wait_for_change(retry)
                retry = min(2 * retry, LONGEST_RETRY_S)

    def stop(self) -> None:
        """Claim nothing more. May be called at any time, and again."""
        self.stopping.set()
        self.changed.set()

    async def give_back(self) -> None:
        """Breaks off what still runs. It waits for another worker, and the attempt does not count."""
        broken_off = list(self.running)
        for execution in self.running.values():
            execution.cancel()
        if self.running:
            await asyncio.wait(self.running.values(), timeout=BREAK_OFF_S)
        self.running.clear()
        released = await self.queue.release(broken_off)
        for task in broken_off:
            if task.id in released:
                log.warning("task given back", **names(task))

    async def take_turn(self) -> None:
        """Goes to the database with all that is due, and starts what it comes back with."""
        if self.changed.is_set():  # a run has ended, so there may be room for the next
            self.changed.clear()
            self.look.hurry()
        room = min(self.room(), self.most_at_once) if self.look.wait() == 0 else 0
        reap = room > 0 and self.reap.wait() == 0
        beat = self.heartbeat.wait() == 0
        outcomes = tuple(self.ended)
        turn = await self.queue.turn(beat, self.held() if beat else (), outcomes, reap, claim=room)
        if beat:
            self.heartbeat.done()
        if reap:
            self.reap.done()
        if len(turn.claimed) < room:
            self.look.done()
        self.settle(outcomes, turn)
        for task in turn.claimed:
            self.running[task] = asyncio.create_task(self.execute(task))

    def settle(self, outcomes: Collection[Outcome], turn: Turn) -> None:
        """Crosses off what is written and what is lost."""
        settled = {*turn.written, *turn.lost}
        for task in [task for task in self.running if task.id in turn.lost]:
            self.running.pop(task).cancel()
            log_lost(task)
        for outcome in self.ended:
            if outcome.task.id in turn.lost:
                log_lost(outcome.task)
            elif outcome.task.id in turn.written:
                log_end(outcome)
        self.ended = [outcome for outcome in self.ended if outcome.task.id not in settled]
        if any(outcome.task.id not in settled for outcome in outcomes):
            self.heartbeat.hurry(RETRY_S)  # which tells whether they are locked or lost
        for reaped in turn.reaped:
            log_reaped(reaped)

    async def execute(self, task: Task) -> None:
        outcome = await run(task)
        self.ended.append(outcome)
        del self.running[task]
        self.changed.set()

    def finished(self) -> bool:
        return self.stopping.is_set() and not self.running and not self.ended

    def room(self) -> int:
        return 0 if self.stopping.is_set() else self.concurrency - len(self.running)

    def held(self) -> list[Task]:
        return [*self.running, *(outcome.task for outcome in self.ended)]

    def pause(self) -> float:
        """How long nothing is due, in seconds."""
        if self.finished():
            return 0.0
        return min(self.heartbeat.wait(), self.look.wait()) if self.room() else self.heartbeat.wait()

    async def wait_for_change(self, at_most: float) -> None:
        """Returns when a run has ended, when we are told to stop, or when the time is up."""
        if at_most == 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self.changed.wait()


def log_end(outcome: Outcome) -> None:
    facts = {**names(outcome.task), "duration_ms": outcome.duration_ms}
    if outcome.error is None:
        log.info("task completed", **facts)
    else:
        log.warning("task failed", **facts, error=outcome.error)


def log_lost(task: Task) -> None:
    log.warning("task is no longer ours", **names(task))


def log_reaped(task: LostTask) -> None:
    if task.error is None:
        log.warning("task freed: its worker was lost", **names(task), attempts=task.attempts)
    else:
        log.error("task failed: its workers were lost", **names(task), error=task.error)
