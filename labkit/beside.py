"""Checks that mostly wait are played beside each other: each in a thread, before its turn in the report.

What a check does there, and how it ended, is kept and told when its turn comes, as if it had just happened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from labkit import evidence
from labkit.deadlines import clock_stopped
from labkit.evidence import Journal, TimeUp


@dataclass
class Performance:
    """How a check went: what it did, and the error that it ended with (None: it passed)."""

    journal: Journal
    error: BaseException | None


@dataclass
class Ahead:
    """Plays that have been begun, by key."""

    over: threading.Event
    """Set when nobody wants to know any more; plays that wait for something look at it."""
    _pool: ThreadPoolExecutor
    _begun: dict[str, Future[Performance]] = field(default_factory=dict)
    _journals: dict[str, Journal] = field(default_factory=dict)
    _prepared: dict[str, Callable[[], None]] = field(default_factory=dict)

    def begin(self, plays: Mapping[str, Callable[[], None]]) -> None:
        """Begin plays, in that order, as many at a time as the pool has threads."""
        for name, play in plays.items():
            self._begun[name] = self._pool.submit(_perform, play, self._journal(name))

    def begin_in_turn(self, plays: Mapping[str, Callable[[], None]], close: Callable[[], None]) -> None:
        """Begin plays that share something and therefore follow one another; `close` comes after the last."""
        futures: dict[str, Future[Performance]] = {name: Future() for name in plays}
        self._begun.update(futures)

        def perform_all() -> None:
            for name, play in plays.items():
                futures[name].set_running_or_notify_cancel()
                futures[name].set_result(_perform(play, self._journal(name)))
            close()

        self._pool.submit(perform_all)

    def prepare(self, name: str, play: Callable[[], None]) -> None:
        """Begin that play only if somebody asks how it went, and unless it has begun already."""
        self._prepared[name] = play

    def performance(self, name: str) -> Performance:
        """How a play went; waits for its end.

        Until it begins, the clock of the check that asks stands still: it is others that take their time. If
        the time of that check is up before the end, it has done what the play has done so far."""
        if name not in self._begun:
            self.begin({name: self._prepared[name]})
        future = self._begun[name]
        with clock_stopped():
            while not (future.running() or future.done()):
                time.sleep(0.01)
        try:
            return future.result()
        except TimeUp:
            evidence.journal().take_over(self._journals[name])
            raise

    def _journal(self, name: str) -> Journal:
        """The journal of a play that is to begin."""
        return self._journals.setdefault(name, Journal())

    def end(self) -> None:
        """Break off what still goes on; returns when all threads have ended."""
        self.over.set()
        self._pool.shutdown(cancel_futures=True)


def ahead(width: int) -> Ahead:
    """Nothing begun yet; up to `width` plays at a time."""
    return Ahead(threading.Event(), ThreadPoolExecutor(width, thread_name_prefix="check"))


def _perform(play: Callable[[], None], journal: Journal) -> Performance:
    with evidence.aside(journal):
        try:
            play()
        except BaseException as error:
            return Performance(journal, error)
    return Performance(journal, None)
