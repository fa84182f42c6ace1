"""Who runs against whom. The best settings of the others were searched for; docs/performance.md says how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from bench.contestants import Contestant, program
from bench.queues import flowforge, pgqueuer, procrastinate
from labkit import project


@dataclass(frozen=True)
class Entry:
    """A contestant with a number of worker processes, on a queue with or without a history."""

    contestant: Contestant
    processes: int = 1
    with_history: bool = False


@dataclass(frozen=True)
class Lineup:
    """What a whole run measures. `drain_s` is how long a measured run should last, about."""

    rounds: int
    drain_s: float
    entries: tuple[Entry, ...]
    pickups: tuple[Contestant, ...]
    pickup_samples: int
    pickup_s: float
    history: int


def full() -> Lineup:
    """Everything, in less than ten minutes."""
    entries = [
        *(Entry(_ours(concurrency)) for concurrency in (1, 10)),
        *_by_one_and_two(_ours(100), _ours(500), _ours(500, log=True)),
        *_by_one_and_two(_pgqueuer("asyncpg", 10), _pgqueuer("asyncpg", 300)),
        *_by_one_and_two(_pgqueuer("asyncpg pool", 500)),
        Entry(_pgqueuer("psycopg", 10)),
        *_by_one_and_two(_pgqueuer("psycopg", 500), _pgqueuer("asyncpg pool", 500, log=True)),
        *_by_one_and_two(_procrastinate(), _procrastinate(tuned=True)),
        Entry(_procrastinate(tuned=True, log=True)),
        *(Entry(each, with_history=True) for each in _fastest()),
    ]
    pickups = (*_by_default(), _ours(1, poll_ms=100), _procrastinate(poll_ms=100))
    return Lineup(5, 2.2, tuple(entries), pickups, 200, 12.0, 1_000_000)


def quick() -> Lineup:
    """A look in about two minutes: the fastest of each, and how long a task waits by default."""
    entries = (*_by_one_and_two(_ours(100), *_fastest()), Entry(_ours(500, log=True)))
    return Lineup(3, 2.0, entries, _by_default(), 100, 6.0, 0)


def _by_one_and_two(*contestants: Contestant) -> list[Entry]:
    return [Entry(contestant, processes) for contestant in contestants for processes in (1, 2)]


def _fastest() -> tuple[Contestant, ...]:
    return _ours(500), _pgqueuer("asyncpg pool", 500), _procrastinate(tuned=True)


def _by_default() -> tuple[Contestant, ...]:
    """As they are, one of each, for the time that a task waits."""
    return (
        replace(_ours(1), label="polls every 5 s (default)"),
        replace(_pgqueuer("asyncpg", 10), label="woken by NOTIFY (default)"),
        replace(_procrastinate(), label="woken by NOTIFY (default)"),
    )


@cache
def _ours(concurrency: int, *, log: bool = False, poll_ms: int = 5000) -> Contestant:
    reference = project.load(flowforge.FOLDER)
    settings = {
        "WORKER_CONCURRENCY": str(concurrency),
        "WORKER_POLL_INTERVAL": f"{poll_ms}ms",
        "LOG_LEVEL": "info" if log else "error",
    }
    label = f"concurrency {concurrency}" if poll_ms == 5000 else f"polls every {poll_ms} ms"
    guess = min(700 * concurrency, 15_000)
    command = tuple(reference.command("worker"))
    return Contestant(flowforge.QUEUE, label, command, reference.folder, settings, log, guess)


@cache
def _pgqueuer(driver: str, batch: int, *, log: bool = False) -> Contestant:
    options = [f"--driver={driver.replace(' ', '-')}", f"--batch={batch}", *(["--log"] if log else [])]
    label = f"{driver}, " + (f"batch {batch}" if batch != 10 else "default")
    command = program("pgqueuer_worker", *options)
    return Contestant(pgqueuer.QUEUE, label, command, log=log, guess=min(400 * batch, 10_000))


@cache
def _procrastinate(*, tuned: bool = False, log: bool = False, poll_ms: int = 0) -> Contestant:
    options = ["--tuned", "--concurrency=100", "--pool=20"] if tuned else []
    options += ["--log"] if log else []
    options += [f"--poll={poll_ms / 1000}", "--no-listen"] if poll_ms else []
    label = "tuned, concurrency 100" if tuned else "default"
    if poll_ms:
        label = f"polls every {poll_ms} ms, no LISTEN"
    command = program("procrastinate_worker", *options)
    return Contestant(procrastinate.QUEUE, label, command, log=log, guess=400)
