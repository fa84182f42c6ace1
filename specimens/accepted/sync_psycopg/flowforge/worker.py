"""The worker: one thread claims, one keeps the leases alive, and every task has one of its own."""

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg

from flowforge import kinds, logs, queue
from flowforge.pool import Pool, Unavailable
from flowforge.settings import Settings

log = logging.getLogger("flowforge.worker")

BEATS_A_LEASE = 5
RETRY_S = 0.5
CLAIM_PATIENCE_S = 3.0
LAST_WORDS_S = 2.5


@dataclass(eq=False)
class Run:
    """A task being run. `unwanted` is set when its outcome is of no use any more."""

    claim: queue.Claim
    started: float = field(default_factory=time.monotonic)
    unwanted: threading.Event = field(default_factory=threading.Event)


class Worker:
    """All its threads are daemons: one that hangs in a task or in the database cannot keep us from ending."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self._changed = threading.Condition()
        self._stopping = False
        self._runs: set[Run] = set()
        self._ended = 0
        self._claimer = threading.Thread(target=self._claim_until_stopped, daemon=True)
        self._heart = threading.Thread(target=self._beat_for_ever, daemon=True)

    def start(self) -> None:
        self._claimer.start()
        self._heart.start()

    def stop(self) -> None:
        """Claim nothing more, finish what runs while there is time, and give back the rest."""
        deadline = time.monotonic() + self._settings.shutdown_timeout
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._claimer.join(CLAIM_PATIENCE_S)
        with self._changed:
            self._changed.wait_for(lambda: not self._runs, _waitable(deadline - time.monotonic()))
            late = list(self._runs)
        for run in late:
            run.unwanted.set()
        giver = threading.Thread(target=self._give_back, args=(late,), daemon=True)
        giver.start()
        giver.join(LAST_WORDS_S)

    def _claim_until_stopped(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._has_a_free_hand())
                ended = self._ended
            if self._stopping:
                return
            pause = self._settings.worker_poll_interval
            try:
                if self._claim_one():
                    continue
            except Exception as error:
                _complain("tasks cannot be claimed", error)
                pause = min(pause, RETRY_S)
            with self._changed:  # an ended run is a reason to look again at once
                self._changed.wait_for(lambda: self._stopping or self._ended > ended, _waitable(pause))  # noqa: B023

    def _has_a_free_hand(self) -> bool:
        return len(self._runs) < self._settings.worker_concurrency

    def _claim_one(self) -> bool:
        """Claim a task and start it; whether there was one."""
        with self._pool.connection() as connection:
            for lost in queue.take_back_lost(connection, self._settings.worker_max_attempts):
                _tell_lost(lost)
            claim = queue.claim(connection, self._settings.worker_id, self._settings.worker_lease)
        if claim is None:
            return False
        run = Run(claim)
        with self._changed:
            stopping = self._stopping
            if not stopping:
                self._runs.add(run)
        if stopping:
            self._give_back([run])
        else:
            threading.Thread(target=self._carry, args=(run,), daemon=True).start()
        return True

    def _carry(self, run: Run) -> None:
        logs.bind(**_names(run.claim))
        _tell(logging.INFO, "task claimed", attempt=run.claim.attempt)
        try:
            outcome = kinds.perform(run.claim.type, run.claim.payload, run.unwanted)
            self._record(run, outcome)
        except kinds.GivenUp:
            _tell(logging.WARNING, "task broken off")
        except Exception as error:
            _complain("the outcome of a task cannot be recorded", error)
        finally:
            with self._changed:
                self._runs.discard(run)
                self._ended += 1
                self._changed.notify_all()

    def _record(self, run: Run, outcome: kinds.Outcome) -> None:
        """Write down what became of a task, sooner or later, unless it is not ours any more."""
        while not self._try_to_record(run, outcome):
            if run.unwanted.wait(RETRY_S):
                raise kinds.GivenUp

    def _try_to_record(self, run: Run, outcome: kinds.Outcome) -> bool:
        try:
            with self._pool.connection() as connection:
                ours = queue.finish(connection, run.claim, outcome)
        except (Unavailable, psycopg.OperationalError) as error:
            _complain("the outcome of a task cannot be recorded yet", error)
            return False
        about: dict[str, Any] = {"duration_ms": round((time.monotonic() - run.started) * 1000, 3)}
        if not ours:
            _tell(logging.WARNING, "task ended, but another worker has it, or nobody", **about)
        elif outcome.error is None:
            _tell(logging.INFO, "task completed", **about)
        else:
            _tell(logging.WARNING, "task failed", error=outcome.error, **about)
        return True

    def _beat_for_ever(self) -> None:
        regular = self._settings.worker_lease / BEATS_A_LEASE
        pause = regular
        while True:
            time.sleep(_waitable(pause))
            try:
                self._beat()
                pause = regular
            except Exception as error:
                _complain("the leases cannot be prolonged", error)
                pause = min(regular, RETRY_S)

    def _beat(self) -> None:
        with self._changed:
            runs = list(self._runs)
        for run in runs:
            with self._pool.connection() as connection:
                if not queue.prolong(connection, run.claim, self._settings.worker_lease):
                    run.unwanted.set()

    def _give_back(self, runs: list[Run]) -> None:
        for run in runs:
            try:
                with self._pool.connection() as connection:
                    if queue.give_back(connection, run.claim):
                        _tell(logging.WARNING, "task given back", **_names(run.claim))
            except (Unavailable, psycopg.Error) as error:
                _complain("a task cannot be given back; its lease will end", error, **_names(run.claim))


def _waitable(seconds: float) -> float:
    return max(0.0, min(seconds, threading.TIMEOUT_MAX))


def _names(task: queue.Claim | queue.Lost) -> dict[str, Any]:
    """What a task's lines are found by."""
    names = {"task_id": str(task.task_id), "task_title": task.title}
    return names if task.request_id is None else names | {"request_id": task.request_id}


def _tell(level: int, message: str, **fields: Any) -> None:
    log.log(level, message, extra={"fields": fields})


def _tell_lost(lost: queue.Lost) -> None:
    if lost.error is None:
        _tell(logging.WARNING, "task taken back from a lost worker", **_names(lost))
    else:
        _tell(logging.WARNING, "task failed", **_names(lost), error=lost.error)


def _complain(message: str, error: Exception, **fields: Any) -> None:
    """An error of the database is a line; one of ours comes with its trace."""
    ours = not isinstance(error, Unavailable | psycopg.Error)
    log.error(message, exc_info=ours, extra={"fields": {"error": logs.reason(error)} | fields})
