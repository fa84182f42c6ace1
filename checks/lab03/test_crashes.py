"""Workers die, freeze and wake up; no task is lost, stolen, or run for ever."""

import json
import signal

from labkit.checks import check
from labkit.evidence import expect
from labkit.stage import BACK_S, LEASE_S, POLL_MS, TAKEN_S, lease, sleeping

DIES = "lab-03-worker.md#when-a-worker-dies"
LATE = "lab-03-worker.md#late-finishers"

LEASE = lease()
CLAIMED_AGAIN = (
    f"the lost task to be claimed again, WORKER_LEASE={LEASE} and two polls after the last sign of life,"
)


@check(points=0.9, read=DIES)
def test_killed_worker_is_replaced(stage):
    """The task of a worker that was killed is run by another one, when the lease is over.

    A process that was killed says nothing any more. How does anybody learn that it is gone, and which attempt
    is the next run?
    """
    stage.worker(WORKER_ID="busy", WORKER_LEASE=LEASE)
    held = stage.add("sleep", {"seconds": 60})
    stage.wait_for_claim(held)
    killed = stage.worker(WORKER_ID="one", WORKER_LEASE=LEASE)
    task = stage.add("sleep", {"seconds": 60})
    stage.wait_for_claim(task)
    stage.ready_worker(WORKER_ID="two", WORKER_LEASE=LEASE)
    _next_run_takes(stage, task, 0.1)  # before: who learns of a death at once may run it again at once
    stage.kill(killed)
    stage.wait_for_claim(task, number=2, within=BACK_S + 1, expected=CLAIMED_AGAIN)
    stage.wait_for_end(task)
    stage.expect_row(task, status="completed", assigned_worker="two", attempts=2)
    stage.expect_row(held, "the task of a worker that lives", status="processing", attempts=1)


@check(points=0.4, read=DIES)
def test_lost_task_is_taken_once(stage):
    """A lost task is run once more by one worker, though two come upon it in the same instant.

    Two workers find that a lease is over. What does each of them read, what does it write, and what may have
    happened in between?
    """
    task = stage.add("sleep", {"seconds": 60})
    lost = stage.worker(WORKER_ID="lost", WORKER_LEASE=LEASE)
    stage.wait_for_claim(task)
    _next_run_takes(stage, task, 0.5)
    connected = stage.probe.connections()
    for name in ("one", "two"):
        stage.worker(WORKER_ID=name, WORKER_LEASE=LEASE)
    stage.until(lambda: stage.probe.connections() >= connected + 2, within=TAKEN_S)
    with stage.probe.locked_row(task):
        stage.kill(lost)
        stage.watch(lambda: False, LEASE_S + 3 * POLL_MS / 1000)
    stage.wait_for_claim(task, number=2, within=BACK_S + 1, expected="the lost task to be claimed again")
    stage.wait_for_end(task)
    stage.watch(lambda: len(stage.claims(task)) > 2, 0.5)
    expect(len(stage.claims(task)) == 2, "one more run of the lost task", stage.told(task))
    stage.expect_row(task, status="completed", attempts=2)


@check(points=0.6, read=DIES)
def test_same_name_after_a_crash(stage):
    """A worker that starts again under the same WORKER_ID finds the task that it was killed over.

    It reads its own name in `assigned_worker`. Was that it, or the one before?
    """
    task = stage.add("sleep", {"seconds": 60})
    killed = stage.worker(WORKER_ID="phoenix", WORKER_LEASE=LEASE)
    stage.wait_for_claim(task)
    stage.kill(killed)
    _next_run_takes(stage, task, 0.1)
    stage.worker(WORKER_ID="phoenix", WORKER_LEASE=LEASE)
    stage.wait_for_end(task, within=BACK_S + 6)
    stage.expect_row(task, status="completed", attempts=2)


@check(points=1.2, read=DIES)
def test_long_tasks_are_not_stolen(stage):
    """Tasks that take several leases stay with their worker as long as that worker lives.

    A lease is over, and nobody has died. By what do the others tell a task that is lost from one that still
    runs, or is long done?
    """
    stage.ready_worker(
        WORKER_ID="one", WORKER_LEASE=LEASE, WORKER_CONCURRENCY="2", SHUTDOWN_TIMEOUT="1s"
    )  # nobody tells it to stop
    tasks = [stage.add("sleep", sleeping(3 * LEASE_S)) for _ in range(2)]
    claimed = [stage.wait_for_claim(task) for task in tasks]
    first = stage.row(tasks[0])
    stage.worker(WORKER_ID="another", WORKER_LEASE=LEASE)
    stage.watch(lambda: any(len(stage.claims(task)) > 1 for task in tasks), 2 * LEASE_S)
    later = stage.row(tasks[0])
    stage.wait_for_end(*tasks)
    for task in tasks:
        stage.expect_row(task, status="completed", assigned_worker="one", attempts=1)
    again = [change for change in stage.history() if change.before in ("completed", "failed")]
    expect(not again, "what has ended to stay as it is", stage.told(again[0].task) if again else "")
    expect(
        later["updated_at"] == first["updated_at"],
        "heartbeats not to move updated_at",
        f"claimed at {claimed[0].at:%X}, updated_at went from {first['updated_at']} to {later['updated_at']}",
    )


@check(points=1.3, read=LATE)
def test_late_finisher_disturbs_nobody(stage):
    """A worker that was frozen past its lease and wakes up leaves the task to its new owner.

    A frozen worker wakes up, and wants to write something about its task. What must be true for that, and can
    it ask and write in one breath?
    """
    _wakes_up_late(stage, sleeping(0.6))  # it has done the work long before
    _wakes_up_late(stage, {"seconds": 60}, told_to_stop=True)  # it would give the task back, if it had it


@check(points=0.7, read=LATE)
def test_late_finisher_after_the_end(stage):
    """A worker that wakes up when another has finished its task changes nothing of what is written there.

    Somebody else has run your task meanwhile. How would you notice, whatever its status says?
    """
    task = stage.add("sleep", sleeping(0.5))
    late = stage.worker(WORKER_ID="late", WORKER_LEASE=LEASE)
    stage.wait_for_claim(task)
    late.send(signal.SIGSTOP)
    new = stage.worker(WORKER_ID="new", WORKER_LEASE=LEASE)
    stage.wait_for_claim(task, number=2, within=BACK_S + 4, expected=CLAIMED_AGAIN)
    stage.wait_for_end(task)
    before = stage.row(task)
    new.kill()
    late.send(signal.SIGCONT)
    another = stage.add(title="another task")
    stage.until(lambda: not stage.unended([another]) or late.exit_code is not None, within=3)
    after = stage.row(task)
    changed = [f"{name}: {before[name]} → {after[name]}" for name in before if before[name] != after[name]]
    expect(not changed, "the finished task to stay as it was", "\n".join(changed))


@check(points=1.1, read="lab-03-worker.md#poison-pills")
def test_poison_pill_ends_failed(stage):
    """A task whose worker dies every time is failed after WORKER_MAX_ATTEMPTS claims, with the reason.

    The task kills whoever runs it. Who is left to put an end to it, when, and with which words?
    """
    settings = {"WORKER_LEASE": LEASE, "WORKER_MAX_ATTEMPTS": "2"}
    task = stage.add("sleep", {"seconds": 60})
    for number in (1, 2):
        worker = stage.worker(**settings)
        expected = CLAIMED_AGAIN if number > 1 else ""
        stage.wait_for_claim(task, number=number, within=BACK_S + 6, expected=expected)
        stage.kill(worker)
    stage.worker(**settings)
    [row] = stage.wait_for_end(task, within=BACK_S + 6)
    stage.expect_row(task, status="failed", attempts=2)
    expect(bool(row["error"]), "the reason in error", repr(row["error"]))
    expect(len(stage.claims(task)) == 2, "two claims", stage.told(task))
    after = stage.add(title="the task after that")
    [row] = stage.wait_for_end(after)
    expect(row["status"] == "completed", "the next task to be completed", stage.told(after))


def _wakes_up_late(stage, payload, told_to_stop=False):
    task = stage.add("sleep", payload)
    late = stage.worker(WORKER_ID="late", WORKER_LEASE=LEASE, SHUTDOWN_TIMEOUT="0s")
    stage.wait_for_claim(task)
    late.send(signal.SIGSTOP)
    seconds = sleeping(1.2)["seconds"]  # less than a lease
    _next_run_takes(stage, task, seconds)
    new = stage.worker(WORKER_ID="new", WORKER_LEASE=LEASE)
    second = stage.wait_for_claim(task, number=2, within=BACK_S + 4, expected=CLAIMED_AGAIN)
    late.let_end()
    if told_to_stop:
        late.send(signal.SIGTERM)
    late.send(signal.SIGCONT)
    stage.wait_for_end(task)
    run = ("processing", second.worker, second.attempts)
    since = [change for change in stage.history(task) if change.at > second.at]
    since = [change for change in since if (change.after, change.worker, change.attempts) != run]
    took = (since[0].at - second.at).total_seconds()
    expect(
        took >= 0.9 * seconds,
        f"the task to run {seconds:g} s with its new owner before anything changes",
        f"a change after {took:.2f} s\n{stage.told(task)}",
    )
    stage.expect_row(task, status="completed", assigned_worker="new", attempts=2)
    for worker in (late, new):
        worker.kill()


def _next_run_takes(stage, task, seconds):
    """A run that has begun does not know of it."""
    payload = json.dumps({"seconds": seconds})
    stage.probe.execute("UPDATE tasks SET payload = %s WHERE id::text = %s", payload, task)
