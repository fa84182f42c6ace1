"""The database has a bad minute: connections cut, a restart, nobody there at the start."""

import signal
import time

from labkit import audit, services
from labkit.checks import check
from labkit.deadlines import fixed
from labkit.evidence import did, expect, expect_unsaid
from labkit.ports import free_port, most_at_once
from labkit.stage import lease, on_a_server_of_its_own

HANDOUT = "lab-03-worker.md#when-the-database-goes-away"
SETTLED_S = 0.2
"""How long after a claim can be seen its worker has heard of it, too: one under way may cost an attempt."""


@check(points=0.6, read=HANDOUT)
def test_carries_on_after_killed_connections(stage):
    """When all its connections are killed, while idle or at work, the worker carries on by itself.

    Which of your lines notices that the connection is dead, and what does it do then?
    """
    stage.ready_worker()
    stage.probe.kill_connections()
    [row] = stage.wait_for_end(stage.add(title="after the cut"), within=15)
    _completed(stage, row)
    during = stage.add("sleep", {"seconds": 1})
    stage.wait_for_claim(during)
    stage.watch(lambda: False, SETTLED_S)
    stage.probe.kill_connections()
    [row] = stage.wait_for_end(during, within=15)
    _completed(stage, row)
    expect(
        row["attempts"] == 1, "the task to be run once: its worker was alive all the time", stage.told(during)
    )


@check(points=0.6, read=HANDOUT)
def test_carries_on_after_a_restart(stage):
    """When PostgreSQL is restarted the worker carries on by itself, and no task is lost.

    For a second nobody listens there. What becomes of your process, and of what it was about to write?
    """
    with on_a_server_of_its_own(stage) as (own, private):
        own.ready_worker()
        during = own.add("sleep", {"seconds": 1})
        own.wait_for_claim(during)
        own.watch(lambda: False, SETTLED_S)
        did("stop PostgreSQL, and start it again when the task is over")
        own.probe.close()
        private.stop()
        time.sleep(1.5)
        private.start()
        own.reconnect()
        rows = own.wait_for_end(during, own.add(title="afterwards"), within=20)
        for row in rows:
            _completed(own, row)
        expect(rows[0]["attempts"] == 1, "the task to be run once: its worker lived on", own.told(during))


@check(points=0.3, read=HANDOUT)
def test_worker_needs_a_database_to_start(stage):
    """Without a database the worker ends at once, with one clear line and without a traceback.

    Who reads the log of a service that does not start, and what do they want to know?
    """
    stage.ready_worker().kill()
    port = free_port()
    url = f"postgresql://flowforge:pa55-w0rd@127.0.0.1:{port}/flowforge"
    worker = stage.worker(DATABASE_URL=url)
    code = worker.wait(within=fixed(10))
    expect(code is not None, "the worker to end within ten seconds", "it still runs")
    expect(code != 0, "an exit status that says that something is wrong", "status 0")
    said = "\n".join(worker.log(200))
    expect(bool(said.strip()), "a line that says what is wrong", "nothing was printed")
    expect("Traceback (most recent call last)" not in said, "no traceback", "\n".join(worker.log(8)))
    expect_unsaid(["pa55-w0rd"], said, "no password in the log")


@check(points=0.5, read="lab-03-worker.md#one-worker-many-tasks")
def test_one_connection_is_plenty(stage):
    """With DB_POOL_MAX=1 a worker still runs several tasks at a time, keeps its leases, and stops as told.

    Claiming, running, staying alive, leaving: which of them need the one connection, and for how long?
    """
    worker = stage.ready_worker(DB_POOL_MAX="1", WORKER_CONCURRENCY="5", WORKER_LEASE=lease(2))
    seen = set()
    stage.add_many(10, "sleep", {"seconds": 0.7})

    def done():
        ports = stage.probe.client_ports()
        seen.add(len(ports) if len(ports) <= 1 else most_at_once(worker.pid, ports))
        return stage.probe.value("SELECT count(*) FROM tasks WHERE status::text <> 'completed'") == 0

    stage.until(done, within=15)
    stage.wait_until_all_ended(within=0)
    expect(max(seen) <= 1, "one connection of a process at any time", f"{max(seen)} connections")
    often = stage.probe.value("SELECT count(*) FROM tasks WHERE attempts <> 1")
    expect(often == 0, "each task at its first attempt", f"{often} tasks at another one")
    most = audit.most_at_once(stage.history())
    expect(most >= 2, "several tasks at a time, with WORKER_CONCURRENCY=5", f"never more than {most}")
    expect(worker.exit_code is None, "the worker to live", f"status {worker.exit_code}")
    worker.send(signal.SIGTERM)
    code = worker.wait(within=7)
    said = "it still runs" if code is None else f"it {services.how_it_ended(code)}"
    expect(code == 0, "exit status 0 after SIGTERM", said)


def _completed(stage, row):
    expect(row["status"] == "completed", "the task to be completed", stage.told(str(row["id"])))
