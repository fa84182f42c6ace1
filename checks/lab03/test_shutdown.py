"""A worker is told to stop: while idle, while working, twice, and without a database."""

import signal
import time

from labkit.checks import check
from labkit.deadlines import fixed, scaled
from labkit.evidence import did, expect
from labkit.services import how_it_ended
from labkit.stage import LEASE_S, lease, on_a_server_of_its_own, sleeping

HANDOUT = "lab-03-worker.md#shutting-down"
LEASE = lease()


@check(points=0.7, read=HANDOUT)
def test_idle_worker_stops_at_once(stage):
    """An idle worker that gets SIGTERM or SIGINT exits with 0 within a second, however long it would pause.

    Your loop sleeps for a minute. Who wakes it, and who decides on the exit status?
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        first = stage.add(title="there before the worker")  # or a quick one has looked, and pauses
        worker = stage.worker(WORKER_POLL_INTERVAL="60s", SHUTDOWN_TIMEOUT="60s")
        stage.wait_for_end(first)
        worker.send(number)
        # those who sleep on sleep for a minute; a busy machine may take a while
        code = worker.wait(within=fixed(1) + 4)
        expect(code == 0, f"exit status 0 within a second of {number.name}", _said(code))


@check(points=0.7, read=HANDOUT)
def test_finishes_what_it_runs(stage):
    """Told to stop while it works, a worker finishes its task, claims nothing more, and exits with 0.

    Your workers are stopped every afternoon. What becomes of a task that is nearly done, and of one just in?
    """
    worker = stage.worker(WORKER_CONCURRENCY="2", SHUTDOWN_TIMEOUT="60s")
    first = stage.add("sleep", sleeping(1.2))
    stage.wait_for_claim(first)
    worker.send(signal.SIGTERM)
    stage.watch(lambda: False, 0.3)  # a claim may be under way
    second = stage.add(title="comes after the signal")
    code = worker.wait(within=7)
    expect(code == 0, "exit status 0 when the task is done", _said(code))
    stage.expect_row(first, "the task that was running", status="completed", attempts=1)
    stage.expect_row(second, "the task that came after the signal", status="pending", attempts=0)


@check(points=0.5, read=HANDOUT)
def test_keeps_its_lease_to_the_end(stage):
    """Told to stop, a worker holds on to its task for as long as it runs, and nobody takes it away.

    What else does your worker stop, when it stops claiming?
    """
    leaving = stage.worker(WORKER_ID="leaving", WORKER_LEASE=LEASE, SHUTDOWN_TIMEOUT="120s")
    task = stage.add("sleep", sleeping(2.5 * LEASE_S))
    stage.wait_for_claim(task)
    stage.worker(WORKER_ID="staying", WORKER_LEASE=LEASE)
    leaving.send(signal.SIGTERM)
    stage.wait_for_end(task, within=fixed(2.5 * LEASE_S) + 10)
    stage.expect_row(task, status="completed", assigned_worker="leaving", attempts=1)


@check(points=0.4, read=HANDOUT)
def test_two_signals_are_one(stage):
    """A second signal, while the first is being obeyed, changes nothing.

    Somebody is impatient and presses Ctrl-C twice. What does each of the two do?
    """
    worker = stage.worker()
    task = stage.add("sleep", {"seconds": 1})
    stage.wait_for_claim(task)
    worker.send(signal.SIGINT)
    time.sleep(0.2)
    going = "the worker to go on after the first SIGINT, for its task still runs"
    expect(worker.exit_code is None, going, _said(worker.exit_code))
    worker.send(signal.SIGINT)
    code = worker.wait(within=7)
    expect(code == 0, "exit status 0 after SIGINT twice", _said(code))
    stage.expect_row(task, status="completed", attempts=1)


@check(points=0.6, read=HANDOUT)
def test_gives_back_what_takes_too_long(stage):
    """Work that outlasts SHUTDOWN_TIMEOUT waits again for anybody, and the attempt does not count.

    The time is up, and the task is not done. Who notices, and what should its row say to whoever comes next?
    """
    stage.worker(WORKER_ID="staying")
    held = stage.add("sleep", {"seconds": 60})
    stage.wait_for_claim(held)
    tasks = [stage.add("sleep", {"seconds": 60}) for _ in range(2)]
    for number, timeout in enumerate(("500ms", "0s"), start=1):
        worker = stage.worker(SHUTDOWN_TIMEOUT=timeout, WORKER_CONCURRENCY="2")
        for task in tasks:
            stage.wait_for_claim(task, number=number)
        stage.watch(lambda: False, 0.2)  # with 0s there is no time left to hear of a claim
        worker.send(signal.SIGTERM)
        code = worker.wait(within=fixed(5.5))
        expect(code == 0, f"exit status 0 within five seconds of SHUTDOWN_TIMEOUT={timeout}", _said(code))
        for task in tasks:
            stage.expect_row(task, status="pending", attempts=0, assigned_worker=None)
    stage.expect_row(held, "the task of another worker", status="processing", assigned_worker="staying")


@check(points=0.5, read=HANDOUT)
def test_leaves_without_a_database(stage):
    """With the database gone, a worker that is told to stop exits all the same.

    It cannot write down what becomes of its tasks any more. Who will take care of that?
    """
    with on_a_server_of_its_own(stage) as (own, private):
        tasks = [own.add("sleep", {"seconds": 60}) for _ in range(2)]
        worker = own.worker(SHUTDOWN_TIMEOUT="500ms", WORKER_CONCURRENCY="2")
        own.wait_for_claim(tasks[0])
        own.watch(lambda: own.claims(tasks[1]), 1)  # whoever runs one at a time may do so here
        did("stop PostgreSQL")
        private.stop("immediate")
        started = time.monotonic()
        worker.send(signal.SIGTERM)
        code = worker.wait(within=fixed(10.5))
    took = time.monotonic() - started
    expect(
        code is not None,
        f"the worker to end within SHUTDOWN_TIMEOUT=500ms and ten seconds ({scaled(10.5):.0f} s here)",
        f"it still runs after {took:.0f} s",
    )


def _said(code):
    return "it still runs" if code is None else f"it {how_it_ended(code)}"
