"""The worker: claims tasks, has them run, writes down how that ended, until it is told to stop."""

import asyncio
import math
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

# No task may run longer. What blocks the whole process instead loses its lease, and the worker with it.
TIME_LIMIT_S = 300.0

# How long a run that is broken off may take to clean up.
BREAK_OFF_S = 1.0


@dataclass
class Every:
    """What is due again so many seconds after it was begun."""

    seconds: float = math.inf
    next: float = 0.0

    def wait(self) -> float:
        return max(self.next - monotonic(), 0.0)

    def begin(self) -> bool:
        """Whether it is due; from now on it is not."""
        if self.wait() > 0:
            return False
        self.next = monotonic() + self.seconds
        return True

    def hurry(self, seconds: float = 0.0) -> None:
        """Be due so soon, at the latest."""
        self.next = min(self.next, monotonic() + seconds)


class Worker:
    """Runs up to `worker_concurrency` tasks at a time."""

    def __init__(self, queue: Queue, settings: WorkerSettings) -> None:
        self.queue = queue
        self.concurrency = settings.worker_concurrency
        self.most_at_once = math.ceil(self.concurrency / 2)  # one half is claimed while the other runs
        self.look = Every(settings.worker_poll_interval)
        self.reap = Every(settings.worker_poll_interval)
        self.heartbeat = Every(min(settings.worker_lease / BEATS_PER_LEASE, TIME_LIMIT_S / 10))
        self.write = Every()  # that is, whenever a run has ended
        self.claiming = 0  # how many have been asked for and have not come yet
        self.running: dict[Task, asyncio.Task[None]] = {}
        self.ended: list[Outcome] = []  # neither in the table nor on the way there
        self.stopping = asyncio.Event()
        self.giving_back = False
        self.changed = asyncio.Event()
        self.at_the_database = asyncio.Lock()
        self.retry = RETRY_S

    async def work(self) -> None:
        """Works until it is told to stop, and then until all that it runs has ended.

        While one is at the database, the other sees to what it has brought from there."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.take_turns())
            group.create_task(self.take_turns())

    async def take_turns(self) -> None:
        """Takes a turn whenever something is due, until nothing will ever be."""
        while not self.finished():
            if (pause := self.pause()) > 0:
                await self.wait_for_change(pause)
            else:
                await self.take_turn()
        self.changed.set()

    def stop(self) -> None:
        """Claim nothing more. May be called at any time, and again."""
        self.stopping.set()
        self.changed.set()

    async def give_back(self, working: asyncio.Task[None]) -> None:
        """Breaks off what still runs. It waits for another worker, and the attempt does not count. Before
        that, `working` writes down what has ended, and brings home what it may have claimed just now."""
        for execution in self.running.values():
            execution.cancel()
        if self.running:
            await asyncio.wait(self.running.values(), timeout=BREAK_OFF_S)
        self.giving_back = True
        self.changed.set()
        await working
        broken_off = list(self.running)
        released = await self.queue.release(broken_off)
        for task in broken_off:
            if task.id in released:
                log.warning("task given back", **names(task))

    async def take_turn(self) -> None:
        """Goes to the database with all that is due, and starts what it comes back with."""
        async with self.at_the_database:
            room = self.room() if self.look.begin() else 0
            reap = room > 0 and self.reap.begin()
            beat = self.heartbeat.begin()
            if beat:
                self.end_what_never_ends()
            held = self.held() if beat else []
            outcomes = self.to_be_written() if self.write.begin() else []
            if not (room or beat or outcomes):
                return  # the turn before this one has seen to it
            try:
                answers = await self.queue.turn(beat, held, outcomes, reap, claim=room)
            except psycopg.Error as error:
                self.ended += outcomes
                await self.recover(error)
                return
            self.retry = RETRY_S
            self.claiming += room
        await asyncio.sleep(0)  # the next turn is sent off before we look at what this one brought
        turn = await answers.read()
        self.claiming -= room
        if room and len(turn.claimed) == room:
            self.look.hurry()
        self.settle(held, outcomes, turn)
        for task in turn.claimed:
            self.running[task] = asyncio.create_task(self.execute(task))

    async def recover(self, error: psycopg.Error) -> None:
        """All is due again, but not at once. Nobody else goes to the database meanwhile."""
        log.error("the database cannot be used", error=str(error).strip())
        for each in (self.look, self.reap, self.heartbeat, self.write):
            each.hurry()
        await self.wait_for_change(self.retry)
        self.retry = min(2 * self.retry, LONGEST_RETRY_S)

    def settle(self, held: Collection[Task], outcomes: Collection[Outcome], turn: Turn) -> None:
        """Crosses off what is written and what is lost; what is neither is tried again."""
        lost_runs, written = set(turn.lost), set(turn.written)
        lost = {task for task in held if (task.id, task.attempts) in lost_runs}
        for task in lost & self.running.keys():
            self.running.pop(task).cancel()
            log_lost(task)
        for outcome in outcomes:
            if outcome.task in lost:
                log_lost(outcome.task)
            elif (outcome.task.id, outcome.task.attempts) in written:
                log_end(outcome)
            else:
                self.ended.append(outcome)
                self.heartbeat.hurry(RETRY_S)  # which tells whether it is locked or lost
                self.write.hurry(RETRY_S)
        for reaped in turn.reaped:
            log_reaped(reaped)

    async def execute(self, task: Task) -> None:
        outcome = await run(task)
        if self.running.pop(task, None):  # else it was broken off and has not listened
            self.end(outcome)

    def end(self, outcome: Outcome) -> None:
        self.ended.append(outcome)
        self.write.hurry()
        self.look.hurry()  # there is room for another
        self.changed.set()

    def end_what_never_ends(self) -> None:
        for task in [task for task in self.running if task.age_ms() > TIME_LIMIT_S * 1000]:
            self.running.pop(task).cancel()
            self.end(Outcome(task, None, f"not done after {TIME_LIMIT_S:g} s", task.age_ms()))

    def finished(self) -> bool:
        return self.stopping.is_set() and not self.ended and (self.giving_back or not self.running)

    def room(self) -> int:
        """How many tasks may be claimed now."""
        if self.stopping.is_set():
            return 0
        return min(self.concurrency - len(self.running) - self.claiming, self.most_at_once)

    def held(self) -> list[Task]:
        return [*self.running, *(outcome.task for outcome in self.ended)]

    def to_be_written(self) -> list[Outcome]:
        outcomes, self.ended = self.ended, []
        return outcomes

    def pause(self) -> float:
        """How long nothing is due, in seconds."""
        due = [self.heartbeat, self.write, self.look] if self.room() else [self.heartbeat, self.write]
        return min(each.wait() for each in due)

    async def wait_for_change(self, at_most: float) -> None:
        """Returns when a run has ended, when we are told to stop, or when the time is up."""
        self.changed.clear()
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
