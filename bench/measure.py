"""A whole run: databases made, every contestant warmed up, then all of them in turn, round by round."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psycopg
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bench import machine
from bench.contestants import Contestant
from bench.drain import Drain, drain
from bench.lineup import Entry, Lineup
from bench.pickup import pickup
from bench.queues import Queue
from bench.results import Pickup, Results, Throughput
from bench.server import durable_server
from labkit.postgres import Database, Server

_MOST_TASKS = 400_000
_MORE_BY_TWO = 1.6
"""How many more tasks two workers get than one, so that their runs last about as long."""


@dataclass(frozen=True)
class _Stage:
    """What every measurement needs: the plan, a database for each queue, room for logs, the progress bar."""

    lineup: Lineup
    databases: Mapping[tuple[str, bool], Database]
    scratch: Path
    bar: Progress

    def step(self, now: str) -> AbstractContextManager[None]:
        """One step of the bar, which says `now` meanwhile."""
        return _step(self.bar, now)

    def drain(self, entry: Entry, tasks: int) -> Drain:
        """One run of an entry."""
        database = self.databases[entry.contestant.queue.name, entry.with_history]
        clear = not entry.with_history
        return drain(entry.contestant, entry.processes, tasks, database, self.scratch, clear)


def measure(lineup: Lineup, command: str, console: Console) -> Results:
    """Measure everything in the line-up on one server; a progress bar tells how far it is."""
    began = time.monotonic()
    with ExitStack() as stack:
        bar = stack.enter_context(_bar(console))
        bar.add_task("starting PostgreSQL", total=_steps(lineup))
        if (others := machine.busy()) > machine.TOO_BUSY:
            bar.console.print(f"Other programs use {others:.0%} of this machine: the numbers will show it.")
        server, scratch = stack.enter_context(durable_server())
        here = machine.describe(server.admin_url, others)
        stage = _Stage(lineup, _databases(lineup, server, stack, bar), scratch, bar)
        sizes = _warm_up(stage)
        found = _rounds(stage, sizes)
        waits = tuple(_waits(stage))
    return Results(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        command=command,
        rounds=lineup.rounds,
        minutes=round((time.monotonic() - began) / 60, 1),
        machine=here,
        throughput=tuple(_summary(entry, drains, lineup) for entry, drains in found.items()),
        pickup=waits,
    )


def _warm_up(stage: _Stage) -> dict[Contestant, float]:
    """Run every contestant once; how many tasks one worker should get to be busy for as long as planned."""
    sizes = {}
    for contestant in dict.fromkeys(entry.contestant for entry in stage.lineup.entries):
        with stage.step(f"warming up: {contestant.name}"):
            first = stage.drain(Entry(contestant), contestant.guess)
            sizes[contestant] = first.rate * stage.lineup.drain_s
    return sizes


def _rounds(stage: _Stage, sizes: Mapping[Contestant, float]) -> dict[Entry, list[Drain]]:
    """All entries, round by round. Each round begins at another one, so that nobody is always the first."""
    entries = stage.lineup.entries
    found: dict[Entry, list[Drain]] = {entry: [] for entry in entries}
    for number in range(stage.lineup.rounds):
        start = number * len(entries) // stage.lineup.rounds
        for entry in (*entries[start:], *entries[:start]):
            with stage.step(f"round {number + 1}: {entry.contestant.name} × {entry.processes}"):
                found[entry].append(stage.drain(entry, _tasks(entry, sizes[entry.contestant])))
    return found


def _waits(stage: _Stage) -> Iterator[Pickup]:
    lineup = stage.lineup
    for contestant in lineup.pickups:
        with stage.step(f"waiting times: {contestant.name}"):
            database = stage.databases[contestant.queue.name, False]
            yield pickup(contestant, database, stage.scratch, lineup.pickup_samples, lineup.pickup_s)


def _tasks(entry: Entry, one_worker: float) -> int:
    return max(min(int(one_worker * (_MORE_BY_TWO if entry.processes > 1 else 1)), _MOST_TASKS), 100)


def _steps(lineup: Lineup) -> int:
    warm_ups = len({entry.contestant for entry in lineup.entries})
    return warm_ups + lineup.rounds * len(lineup.entries) + len(lineup.pickups)


def _databases(
    lineup: Lineup, server: Server, stack: ExitStack, bar: Progress
) -> dict[tuple[str, bool], Database]:
    """A database for each queue, and one with a history for those that need it."""
    wanted: dict[tuple[str, bool], Queue] = {}
    for entry in lineup.entries:
        wanted[entry.contestant.queue.name, entry.with_history] = entry.contestant.queue
    for contestant in lineup.pickups:
        wanted[contestant.queue.name, False] = contestant.queue
    made = {}
    for (name, with_history), queue in wanted.items():
        bar.update(bar.task_ids[0], description=f"preparing {name}")
        database = stack.enter_context(server.database(f"bench_{name}"))
        queue.prepare(database.url)
        if with_history:
            with psycopg.connect(database.admin_url, autocommit=True) as connection:
                connection.execute(queue.history, [lineup.history])
                connection.execute("VACUUM (FREEZE, ANALYZE)")
        made[name, with_history] = database
    return made


def _summary(entry: Entry, drains: list[Drain], lineup: Lineup) -> Throughput:
    contestant = entry.contestant
    return Throughput(
        system=contestant.queue.name,
        label=contestant.label,
        processes=entry.processes,
        log=contestant.log,
        history=lineup.history if entry.with_history else 0,
        tasks=drains[0].tasks,
        rates=tuple(round(run.rate, 1) for run in drains),
        wal=round(median(run.wal / run.tasks for run in drains), 1),
        commits=round(median(run.commits / run.tasks for run in drains), 4),
    )


@contextmanager
def _step(bar: Progress, now: str) -> Iterator[None]:
    bar.update(bar.task_ids[0], description=now)
    yield
    bar.advance(bar.task_ids[0])


@contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    with Progress(
        SpinnerColumn("line"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        yield bar
