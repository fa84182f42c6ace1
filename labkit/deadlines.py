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
from typing import Self, TypeVar

from labkit import evidence
from labkit.errors import UsageError
from labkit.evidence import Wait

T = TypeVar("T")

PATIENCE = "LAB_PATIENCE"
"""The environment variable that multiplies our own patience, to see whether a verdict depends on it."""

_MOST_PATIENCE = 10.0

_USUAL_LOAD = 2.0
"""How many processes want to run on each core when the checks have the machine to themselves."""

_LEAST_S = 0.01
"""A `time_limit` that would go on for less than that is over."""

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


@cache
def patience() -> float:
    """By how much our own patience is stretched: LAB_PATIENCE, 1.0 to 10.0. UsageError if it is no such
    number."""
    text = os.environ.get(PATIENCE, "").strip()
    try:
        factor = float(text or 1)
    except ValueError:
        factor = 0.0
    if not 1 <= factor <= _MOST_PATIENCE:  # NaN is not, either
        raise UsageError(
            f"{PATIENCE} is {text!r}, and should be a number from 1 to {_MOST_PATIENCE:.0f}.",
            f"Give all deadlines of our own twice the time with {PATIENCE}=2, or unset it.",
        )
    return factor


class Within(float):
    """A deadline in seconds, `fixed` of which are not ours to give: see `fixed`."""

    fixed: float

    def __new__(cls, seconds: float, fixed: float = 0.0) -> Self:
        made = super().__new__(cls, seconds)
        made.fixed = fixed
        return made

    def __add__(self, other: float) -> Within:
        return Within(float(self) + other, self.fixed + fixed_part(other))


def fixed(seconds: float) -> Within:
    """A deadline that is not ours: the contract names it, or what is waited for takes that long by itself (a
    lease, a task that sleeps). `fixed(LEASE_S) + 5` is a lease and five seconds of our own patience.

    It is neither calibrated nor stretched by LAB_PATIENCE."""
    return Within(seconds, seconds)


def fixed_part(within: float) -> float:
    """The seconds of a deadline that are not ours."""
    return within.fixed if isinstance(within, Within) else 0.0


def allowed(within: float) -> float:
    """The seconds that a deadline `within` so many allows on this machine, with the patience of this run."""
    return scaled(_stretched(within))


def _stretched(within: float) -> float:
    return float(fixed_part(within) + (within - fixed_part(within)) * patience())


def waited(within: float, took_s: float, met: bool) -> None:
    """Record for the running check that it waited `took_s` seconds of this machine, and whether that was
    enough. A deadline of 0 is none: it asks whether something is so already."""
    if not within:
        return
    fixed_s = round(fixed_part(within), 3)
    took = round(took_s / min(max(slowness(), _crowd()), 10.0), 3)
    evidence.journal().waits.append(Wait(round(float(within), 3), fixed_s, took, met))


def stated(seconds: float) -> str:
    """A deadline in words: the contract's seconds, and in brackets ours if this machine is a slow one."""
    ours = scaled(seconds)
    return f"within {seconds:g} s" + (f" ({ours:.0f} s on this machine)" if ours >= seconds + 1 else "")


def allowed_now(within: float) -> float:
    """What `allowed` gives, on this machine as it is at this moment, and not less than at first: who shares a
    machine may see it become slower."""
    loop = min(_loop() for _ in range(3)) / _FAST_LOOP_S
    return _stretched(within) * min(max(slowness(), loop, _crowd()), 10.0)


def _crowd() -> float:
    """How much slower others make this machine: how often its usual load has wanted to run lately."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) / _USUAL_LOAD


@dataclass
class Patience:
    """A deadline `within` so many seconds (scaled), which is looked at again before it counts as missed."""

    within: float
    _began: float = field(default_factory=time.monotonic)
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = self._began + allowed(self.within)

    def left(self) -> float:
        """How many seconds are left; 0 if the time is up."""
        left = self._until - time.monotonic()
        if left > 0:
            return left
        self._until = self._began + allowed_now(self.within)
        return max(self._until - time.monotonic(), 0.0)

    def ended(self, met: bool) -> None:
        """Record how long it took until what was waited for was there, or that it did not come."""
        waited(self.within, time.monotonic() - self._began, met)


def watch(probe: Callable[[], T], seconds: float, every: float = 0.01) -> T | None:
    """Call `probe` until it returns something true; None after `seconds` (scaled), to the point.

    For what must not happen meanwhile; what must happen is waited for by `wait_until`."""
    deadline = time.monotonic() + scaled(seconds)
    return _poll(probe, lambda: max(deadline - time.monotonic(), 0.0), every)


def wait_until(probe: Callable[[], T], within: float, every: float = 0.01) -> T | None:
    """Call `probe` until it returns something true; None when `within` seconds (scaled) have passed."""
    deadline = Patience(within)
    found = _poll(probe, deadline.left, every)
    deadline.ended(met=bool(found))
    return found


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

    On a machine that has become slower meanwhile the limit is a later one, as it is for what the block waits
    for: what did not come says more than that the time was up. Only in the main thread: nobody else can be
    interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    limit = allowed(seconds)

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal limit
        more = allowed_now(seconds) - limit
        if more > _LEAST_S:
            limit += more
            signal.setitimer(signal.ITIMER_REAL, more)
            return
        waited(seconds, limit, met=False)
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
