"""One run: a full queue, workers at the start line, and the time until the last completion is committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from bench.contestants import Contestant
from bench.processes import Worker, workers
from labkit.errors import LabError
from labkit.postgres import Database

_READY_S = 30.0
_LOOK_EVERY_S = 0.1
_LONGEST_S = 60.0

_WAITING = """
    SELECT client_port FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@dataclass(frozen=True)
class Drain:
    """What one run took. `commits` are transactions that wrote; `wal` is in bytes; `lines` is log lines."""

    tasks: int
    seconds: float
    commits: int
    wal: int
    lines: int

    @property
    def rate(self) -> float:
        """Tasks per second."""
        return self.tasks / self.seconds


@dataclass(frozen=True)
class _Mark:
    """The server's clock, its WAL's end and the next transaction's number."""

    time: datetime
    wal: int
    transaction: int


def drain(
    contestant: Contestant, count: int, tasks: int, database: Database, scratch: Path, clear: bool = True
) -> Drain:
    """Let `count` workers drain `tasks` no-op tasks.

    The queue is filled first. Its table is locked while the workers start; when each of them waits for that
    lock, it is released: so all begin at once, and none with the cost of starting a Python.
    """
    queue = contestant.queue
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        if clear:
            connection.execute(queue.clear)
        before = _done(connection, contestant)[0]
        queue.fill(database.url, tasks)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        with _start_line(database, contestant) as release:
            with workers(contestant, count, database.url, scratch) as running:
                _wait_until_ready(connection, contestant, running)
                start = _mark(connection)
                release()
                _wait_until_done(connection, contestant, running)
                stop = _mark(connection)
                done, finished = _done(connection, contestant)
                lines = sum(_lines(worker.output) for worker in running)
    if done - before != tasks:
        raise LabError(f"{contestant.name} drained {tasks} tasks, but {done - before} are marked completed.")
    if contestant.log and lines < tasks:
        raise LabError(f"{contestant.name} was to log {tasks} tasks, but printed {lines} lines.")
    seconds = (finished - start.time).total_seconds()
    return Drain(tasks, seconds, stop.transaction - start.transaction, stop.wal - start.wal, lines)


@contextmanager
def _start_line(database: Database, contestant: Contestant) -> Iterator[Any]:
    with psycopg.connect(database.admin_url) as holder:
        table = Identifier(contestant.queue.table)
        holder.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        yield holder.rollback


def _wait_until_ready(
    connection: psycopg.Connection[Any], contestant: Contestant, running: Sequence[Worker]
) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        waiting = {port for (port,) in connection.execute(_WAITING).fetchall()}
        late = [worker for worker in running if not waiting or not worker.ports() & waiting]
        if not late:
            return
        for worker in running:
            worker.must_run(contestant)
        time.sleep(0.02)
    raise late[0].trouble(contestant, f"did not ask for work within {_READY_S:.0f} s")


def _wait_until_done(
    connection: psycopg.Connection[Any], contestant: Contestant, running: Sequence[Worker]
) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
        row = connection.execute(contestant.queue.left).fetchone()
        if row == (False,):
            return
        for worker in running:
            worker.must_run(contestant)
    raise running[0].trouble(contestant, f"had not drained its queue after {_LONGEST_S:.0f} s")


def _mark(connection: psycopg.Connection[Any]) -> _Mark:
    row = connection.execute(
        "SELECT clock_timestamp(), pg_current_wal_insert_lsn() - '0/0'::pg_lsn,"
        " pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    ).fetchone()
    assert row is not None
    return _Mark(row[0], int(row[1]), row[2])


def _done(connection: psycopg.Connection[Any], contestant: Contestant) -> tuple[int, datetime]:
    row = connection.execute(contestant.queue.done).fetchone()
    assert row is not None
    return row[0], row[1]


def _lines(output: Path) -> int:
    with output.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
