"""docs/performance.md, from the numbers of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.machine import TOO_BUSY
from bench.results import Machine, Pickup, Results, Throughput, ratio

OURS = "FlowForge"
GOALS = {"pgqueuer": 1.5, "procrastinate": 20.0}
"""How many times as fast as the fastest settings of the others the reference is meant to be."""


def page(results: Results) -> str:
    """The whole page as Markdown."""
    parts = [
        "# Performance",
        f"<!-- written by `{results.command}`; change bench/page.py, not this file -->",
        _opening(results),
        *_caution(results.machine.busy),
        "![Tasks drained per second, by system and settings](performance.svg)",
        "## Against the others",
        _goals(results),
        "## All settings",
        _throughput(results),
        _HOW_MEASURED,
        "## From INSERT to `processing`",
        _pickup(results.pickup),
        *_history(results),
        "## The machine",
        _machine(results),
        _SETTINGS,
    ]
    return "\n\n".join(parts) + "\n"


def _opening(results: Results) -> str:
    return (
        "How fast can a queue in PostgreSQL be drained, and what does a task cost the server? Here is "
        "FlowForge's reference worker, with its leases, heartbeats and fenced completions, beside two queues "
        "that are used in production: [procrastinate](https://procrastinate.readthedocs.io) and "
        "[pgqueuer](https://pgqueuer.readthedocs.io). All ran on one server, in turn, round by round.\n\n"
        f"`{results.command}`, {results.date}, {results.rounds} rounds, {results.minutes:g} minutes, "
        f"on {results.machine.cpu} with {results.machine.cores} cores. Yours will give other numbers; "
        "the ratios should be alike."
    )


def _caution(busy: float) -> Iterator[str]:
    if busy > TOO_BUSY:
        yield (
            f"> Other programs used {busy:.0%} of the processors when this run began, so its numbers are too "
            "low and vary. Run it again on a machine that has nothing else to do."
        )


def _goals(results: Results) -> str:
    rows = []
    for processes in sorted({row.processes for row in results.throughput}):
        ours = results.best(OURS, processes)
        for system, goal in GOALS.items():
            other = results.best(system, processes)
            if ours and other:
                times = ratio(ours, other)
                met = "yes" if times >= goal else "no"
                rows.append(
                    (
                        str(processes),
                        f"{ours.rate:,.0f} ({ours.label})",
                        system,
                        f"{other.rate:,.0f} ({other.label})",
                        f"**{times:.1f}**",
                        f"{goal:g}",
                        met,
                    )
                )
    header = ("worker processes", "FlowForge's best", "against", "its best", "times as fast", "goal", "met")
    return (
        "Tasks per second, each with its fastest settings and without log lines. *Times as fast* is the "
        "median over the rounds, each round compared with itself.\n\n"
        + _table(header, rows, right=(1, 3, 4, 5))
    )


def _throughput(results: Results) -> str:
    rows = [
        (
            row.system,
            row.label,
            "yes" if row.log else "",
            str(row.processes),
            f"{row.rate:,.0f}",
            f"{min(row.rates):,.0f} – {max(row.rates):,.0f}",
            f"{row.wal:,.0f}",
            f"{row.commits:.3f}",
            f"{row.tasks:,}",
        )
        for row in results.sorted()
        if row.history == 0
    ]
    header = (
        *("system", "settings", "log line per task", "processes", "tasks/s", "lowest – highest"),
        *("WAL bytes per task", "writing transactions per task", "tasks in a run"),
    )
    return _table(header, rows, right=range(3, 9))


def _pickup(pickups: Iterable[Pickup]) -> str:
    rows = [
        (row.system, row.label, str(row.samples), _milliseconds(row.p50), _milliseconds(row.p99))
        for row in pickups
    ]
    return (
        "One worker, nothing else to do; tasks are inserted at random moments. From the commit of the INSERT "
        "to the commit of the claim, both on the server's clock. A worker that polls lets a task wait for "
        "half an interval on average; one that is woken by NOTIFY does not, and every INSERT pays for it.\n\n"
        + _table(("system", "settings", "tasks", "p50", "p99"), rows, right=(2, 3, 4))
    )


def _history(results: Results) -> Iterator[str]:
    rows = []
    for row in (row for row in results.throughput if row.history):
        empty = next((other for other in results.throughput if _same_without_history(row, other)), None)
        if empty:
            rows.append(
                (
                    f"{row.system}, {row.label}",
                    f"{empty.rate:,.0f}",
                    f"{row.rate:,.0f}",
                    f"{ratio(row, empty):.2f}",
                )
            )
    if not rows:
        return
    history = max(row.history for row in results.throughput)
    yield f"## With {history:,} finished tasks in the database"
    yield (
        "Finished tasks stay: in FlowForge and procrastinate in the table itself, in pgqueuer in its log. "
        "One worker process; 1.00 means that they cost nothing.\n\n"
        + _table(("settings", "tasks/s without", "tasks/s with", "ratio"), rows, right=(1, 2, 3))
    )


def _same_without_history(row: Throughput, other: Throughput) -> bool:
    return (other.system, other.label, other.processes, other.log, other.history) == (
        *(row.system, row.label, row.processes, row.log),
        0,
    )


def _machine(results: Results) -> str:
    machine: Machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    settings = ", ".join(f"`{name} = {value}`" for name, value in machine.settings.items())
    return "\n".join(
        [
            f"- {machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB, {machine.system}",
            f"- {versions}",
            f"- PostgreSQL as `initdb` makes it, on disk, with {settings}",
            f"- a durable commit of one row took {_milliseconds(machine.commit)}",
            f"- other programs used {machine.busy:.0%} of the processors when the run began",
        ]
    )


def _milliseconds(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:,.2f} ms" if value < 10 else f"{value:,.0f} ms"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]], right: Iterable[int] = ()) -> str:
    columns = list(header)
    aligned = set(right)
    rule = ["---:" if number in aligned else "---" for number in range(len(columns))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [columns, rule, *map(list, rows)])


_HOW_MEASURED = """\
How a run goes: the queue is emptied, and filled through the system's own API; VACUUM, ANALYZE, CHECKPOINT.
Its table is locked while the workers start, so that each of them asks for its first task and has to wait.
When all wait, the lock is released, and the clock starts. It stops at the commit of the last completion, by
the server's own record of commit times; the completed tasks are counted in the database. Server, workers
and the bench share the cores. Log lines go to a file (FlowForge writes two for each task, the others one).
How many tasks a contestant gets is chosen so that a run lasts some seconds."""

_SETTINGS = """\
How the others' best settings were found: by trying. Only public APIs are used.

- **pgqueuer**: batches of 10 to 1000; an asyncpg connection, an asyncpg pool, a psycopg connection; uvloop,
  as its command line uses it; its recommended autovacuum settings; its log table durable, as by default.
- **procrastinate**: concurrency 1 to 100, pools of 4 to 30 connections, with and without LISTEN, on asyncio
  and on uvloop. *Tuned* means autocommit on the pool's connections, and no check of a connection before its
  use: three round trips fewer for each statement."""
