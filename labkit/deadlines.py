"""Waiting without sleeping and hoping: poll with a deadline that knows how fast this machine is."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

_USUAL_LOAD = 2.0
"""How many processes want to run on each core when the checks have the machine to themselves."""

_FAST_LOOP_S = 0.006
"""What `_loop` takes on the machine that the deadlines were measured on, idle."""


def _loop() -> float:
    started = time.perf_counter()
    total = 0
    for number in range(200_000):
        total += number & 7
    return time.perf_counter() - started


@cache
def slowness() -> float:
    """How much slower than the reference machine this one is right now: 1.0 to 10.0, measured once."""
    return min(max(min(_loop() for _ in range(3)) / _FAST_LOOP_S, 1.0), 10.0)


def scaled(seconds: float) -> float:
    """A deadline of `seconds` on the reference machine, for this machine."""
    return seconds * slowness()


def stated(seconds: float) -> str:
    """A deadline in words: the contract's seconds, and in brackets ours if this machine is a slow one."""
    ours = scaled(seconds)
    return f"within {seconds:g} s" + (f" ({ours:.0f} s on this machine)" if ours >= seconds + 1 else "")


def slowness_now() -> float:
    """The same at this moment, and not less than at first: who shares a machine may see it become slower."""
    loop = min(_loop() for _ in range(3)) / _FAST_LOOP_S
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1) / _USUAL_LOAD
    return min(max(slowness(), loop, waiting), 10.0)


@dataclass
class Patience:
    """A deadline `within` so many seconds (scaled), which is looked at again before it counts as missed."""

    within: float
    _began: float = field(default_factory=time.monotonic)
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = self._began + scaled(self.within)

    def left(self) -> float:
        """How many seconds are left; 0 if the time is up."""
        left = self._until - time.monotonic()
        if left > 0:
            return left
        self._until = self._began + self.within * slowness_now()
        return max(self._until - time.monotonic(), 0.0)


def watch(probe: Callable[[], T], seconds: float, every: float = 0.01) -> T | None:
    """Call `probe` until it returns something true; None after `seconds` (scaled), to the point.

    For what must not happen meanwhile; what must happen is waited for by `wait_until`."""
    deadline = time.monotonic() + scaled(seconds)
    return _poll(probe, lambda: max(deadline - time.monotonic(), 0.0), every)


def wait_until(probe: Callable[[], T], within: float, every: float = 0.01) -> T | None:
    """Call `probe` until it returns something true; None when `within` seconds (scaled) have passed."""
    return _poll(probe, Patience(within).left, every)


def _poll(probe: Callable[[], T], left: Callable[[], float], every: float) -> T | None:
    while True:
        if result := probe():
            return result
        if not left():
            return None
        time.sleep(every)


@contextmanager
def time_limit(seconds: float, error: Callable[[float], BaseException]) -> Iterator[None]:
    """Raise `error(limit)` inside the block, whatever it waits for, when `seconds` (scaled) have passed.

    Only in the main thread: nobody else can be interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    limit = scaled(seconds)

    def ring(number: int, frame: FrameType | None) -> None:
        raise error(limit)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def clock_stopped() -> Iterator[None]:
    """The alarm of a `time_limit`, if one is set, comes no nearer inside the block."""
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)
