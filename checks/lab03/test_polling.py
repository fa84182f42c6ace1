"""An idle worker: how often it looks, and what it costs."""

import contextlib
import signal
import time

import psutil
import psycopg

from labkit.checks import check
from labkit.deadlines import scaled
from labkit.evidence import did, expect

HANDOUT = "lab-03-worker.md#polling"
TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
START_AND_STOP = 15
"""Transactions that a worker may use to come and go."""
NEXT_TO_NONE, TOO_MUCH = 0.03, 0.08
"""The share of a core that is next to none (scaled: a slow core has more to do), and at most this much."""


@check(points=0.4, read=HANDOUT)
def test_polls_as_told(stage):
    """An idle worker looks for work once per WORKER_POLL_INTERVAL, and no more often.

    A hundred idle workers share a database. What does each of them ask it, and how often?
    """
    interval_s, intervals = 0.5, 8
    with psycopg.connect(stage.server.admin_url, autocommit=True) as admin:
        worker = stage.ready_worker(WORKER_POLL_INTERVAL=f"{int(interval_s * 1000)}ms", DB_POOL_MAX="2")
        stage.wait_for_end(stage.add(title="comes while it is idle"), within=3)
        stage.probe.close()
        stage.until(lambda: not _connected(admin, stage, "labkit-probe"), within=5)
        before = _transactions(admin, stage)
        began = time.monotonic()
        stage.watch(lambda: None, interval_s * intervals)
        passed = (time.monotonic() - began) / interval_s
        did(f"let the worker be idle for {passed:.0f} intervals of {interval_s:g} s, then stop it")
        worker.send(signal.SIGTERM)  # the count is complete when its connections are closed
        worker.wait(within=8)
        stage.until(lambda: not _connected(admin, stage), within=5)
        counted = _transactions(admin, stage) - before
    most = 3 * passed + START_AND_STOP
    expect(
        counted <= most,
        f"about three transactions an interval: at most {most:.0f} in {passed:.0f}, the end included",
        f"{counted} transactions",
    )


@check(points=0.3, read=HANDOUT)
def test_rests_while_idle(stage):
    """An idle worker uses next to no CPU.

    What does your loop do between two polls: wait, or look at the clock?
    """
    worker = stage.ready_worker(WORKER_POLL_INTERVAL="1s")
    process = psutil.Process(worker.pid)
    seconds = 2.5
    before = _cpu(process)
    did(f"let the worker be idle for {seconds:g} s")
    began = time.monotonic()
    stage.watch(lambda: worker.exit_code is not None, seconds)
    expect(worker.exit_code is None, "the worker to live", f"status {worker.exit_code}")
    used = (_cpu(process) - before) / (time.monotonic() - began)
    most = min(scaled(NEXT_TO_NONE), TOO_MUCH)
    expect(used < most, f"next to no CPU, less than {most:.0%} of a core", f"{used:.0%} of a core")


def _transactions(admin, stage):
    [(count,)] = admin.execute(TRANSACTIONS, [stage.database.name]).fetchall()
    return count


def _connected(admin, stage, name="%"):
    """Who is connected; a connection hands in what it has counted at its very end."""
    query = "SELECT FROM pg_stat_activity WHERE datname = %s AND application_name LIKE %s"
    return admin.execute(query, [stage.database.name, name]).fetchall()


def _cpu(process):
    """The CPU time of a process and its children so far, in seconds."""
    total = 0.0
    for member in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # a child that has just gone
            times = member.cpu_times()
            total += times.user + times.system
    return total
