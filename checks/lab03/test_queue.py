"""Who gets which task and when: order, locks, many workers, and how a running task looks from outside."""

import uuid
from datetime import UTC, datetime, timedelta

from labkit import audit
from labkit.checks import check
from labkit.deadlines import fixed, scaled
from labkit.evidence import did, expect
from labkit.stage import TAKEN_S, sleeping

CLAIMING = "lab-03-worker.md#claiming"
MANY = "lab-03-worker.md#many-workers"


@check(points=1.0, read=CLAIMING)
def test_highest_priority_first(stage):
    """Tasks are claimed by priority, the highest first; then by age, the oldest first; then by id.

    The table has no order of its own. Who decides which row comes first, and by what?
    """
    now = datetime(2020, 3, 1, 12, tzinfo=UTC)  # long ago: nothing is updated before it is created
    twins = sorted(str(uuid.uuid4()) for _ in range(3))
    rows = [
        *(
            (0, 5, None),
            (5, 1, None),
            (-3, 9, None),
            (100, 0, None),
            (0, 7, None),
            (5, 4, None),
            (-100, 20, None),
        ),
        *((1, 3, twin) for twin in (twins[1], twins[2], twins[0])),
    ]
    added = []
    for priority, age, given in rows:
        columns = {"priority": priority, "created_at": now - timedelta(minutes=age)}
        task = stage.add(
            title=f"priority {priority}, {age} min old", **columns, **({"id": given} if given else {})
        )
        added.append((-priority, -age, task))
    stage.worker()
    stage.wait_for_end(*(task for *_, task in added))
    claimed = [change.task for change in stage.claims()]
    names = {task: f"priority {-p}, {-a} min old, id {task[:8]}" for p, a, task in added}
    wanted = [task for *_, task in sorted(added)]
    first = next((n for n, (a, b) in enumerate(zip(wanted, claimed, strict=False)) if a != b), None)
    if first is not None:
        expect(
            False, f"as number {first + 1}: {names[wanted[first]]}", names.get(claimed[first], claimed[first])
        )
    expect(claimed == wanted, f"{len(wanted)} claims, each task once", f"{len(claimed)} claims")


@check(points=0.8, read=CLAIMING)
def test_claim_is_seen_by_others(stage):
    """While a task runs, everybody can see that it does, by whom, and at which attempt.

    A colleague looks into the table while your worker works. What tells them to keep their hands off?
    """
    stage.worker(WORKER_ID="worker-7")
    task = stage.add("sleep", {"seconds": 60})
    stage.wait_for_claim(task)
    row = stage.row(task)
    seen = {name: row[name] for name in ("status", "assigned_worker", "attempts")}
    wanted = {"status": "processing", "assigned_worker": "worker-7", "attempts": 1}
    expect(seen == wanted, f"while it sleeps: {wanted}", seen)


@check(points=0.8, read=CLAIMING)
def test_works_outside_transactions(stage):
    """While a task runs, no transaction of the worker stays open.

    What can PostgreSQL not clean up while a transaction is open, and how long may your tasks take?
    """
    for settings in ({}, {"WORKER_CONCURRENCY": "2"}):  # who has room for another task looks for one
        worker = stage.worker(**settings)
        task = stage.add("sleep", {"seconds": 60})
        stage.wait_for_claim(task)
        did("look into pg_stat_activity for a while")
        oldest = _oldest_transaction(stage, 1.2)
        expect(
            oldest < scaled(0.6),
            "no transaction to stay open while the task sleeps",
            f"one was open for {oldest:.1f} s",
        )
        worker.kill()


@check(points=1.2, read=MANY)
def test_locked_rows_are_skipped(stage):
    """A row that somebody else has locked is skipped, and nobody waits for it.

    Somebody keeps one row locked for a minute. What do your workers do meanwhile, and what could they do?
    """
    locked = stage.add(title="locked", priority=9)
    others = [stage.add(title=f"other {n}") for n in range(4)]
    with stage.probe.locked_row(locked):
        stage.worker()
        waited = False

        def done():
            nonlocal waited
            waited = waited or stage.probe.held_up() > 0
            return not stage.unended(others)

        stage.until(done, within=TAKEN_S)
        expect(not waited, "nobody to wait for the locked row", "a connection of the worker waits for a lock")
        stage.wait_for_end(*others, within=0)
        status = stage.row(locked)["status"]
        expect(status == "pending", "the locked task to be left alone", f"it is {status}")
    [row] = stage.wait_for_end(locked)
    expect(row["status"] == "completed", "the task to be done once it is free", stage.told(locked))


@check(points=1.4, read=MANY)
def test_each_task_runs_once(stage):
    """Four workers share a queue of 300 tasks, and each task is run once.

    What can happen between your SELECT and your UPDATE while another worker runs the same SELECT?
    """
    for number in range(4):
        stage.worker(WORKER_ID=f"w{number}", WORKER_CONCURRENCY=str(1 + number % 2 * 4))
    stage.until(lambda: stage.probe.connections() >= 4, within=TAKEN_S)
    stage.add_many(300)
    stage.wait_until_all_ended(within=30)
    history = stage.history()
    claims, ends = {}, {}
    for change in history:
        if change.claims:
            claims[change.task] = claims.get(change.task, 0) + 1
        if change.after == "completed":
            ends[change.task] = ends.get(change.task, 0) + 1
    for what, counted in (("claimed", claims), ("completed", ends)):
        often = [task for task, count in counted.items() if count != 1]
        expect(len(counted) == 300, f"300 tasks {what}", f"{len(counted)}")
        expect(
            not often,
            f"each task {what} once",
            f"{len(often)} of them more than once, such as\n{stage.told(*often[:1])}",
        )


@check(points=0.9, read="lab-03-worker.md#one-worker-many-tasks")
def test_runs_as_many_as_told(stage):
    """A worker runs WORKER_CONCURRENCY tasks at a time, one if nothing is said; it claims no hoard beside.

    At any moment, how many tasks has your worker claimed, and how many of them run? What does it wait for
    before it claims the next?
    """
    for settings, at_once in (({"WORKER_CONCURRENCY": "3"}, 3), ({}, 1)):
        worker = stage.ready_worker(**settings)
        before = len(stage.history())
        count, seconds = 4 * at_once, sleeping(0.3)["seconds"]
        stage.add_many(count, "sleep", {"seconds": seconds})
        stage.wait_until_all_ended(within=15)
        history = stage.history()[before:]
        claims = [change for change in history if change.claims]
        expect(bool(claims), "claims, which are `processing`, before the end", "none")
        took = (history[-1].at - claims[0].at).total_seconds()
        named = " ".join(f"{k}={v}" for k, v in settings.items()) or "no WORKER_CONCURRENCY set"
        least = seconds * count / at_once
        expect(
            took >= least * 0.95,
            f"{count} tasks of {seconds} s to take at least {least:.1f} s ({named})",
            f"{took:.2f} s: more ran at the same time",
        )
        most = audit.most_at_once(history)
        expect(most >= at_once, f"{at_once} tasks at a time ({named})", f"never more than {most}")
        expect(
            most <= 2 * at_once, f"no more claimed than run, {at_once} at a time ({named})", f"{most} at once"
        )
        worker.kill()


@check(points=0.6, read="lab-03-worker.md#polling")
def test_claims_again_at_once(stage):
    """After a task the worker asks for the next one at once; it pauses only when there was none.

    A thousand tasks wait, and your worker looks once in five seconds. When is it done?
    """
    tasks = [stage.add(title=f"task {n}") for n in range(6)]
    worker = stage.worker(WORKER_POLL_INTERVAL="10m")
    stage.wait_for_end(*tasks)
    claimed = {change.task for change in stage.claims()}
    expect(claimed == set(tasks), f"{len(tasks)} tasks claimed, one after the other", f"{len(claimed)}")
    worker.kill()
    first = stage.add("sleep", sleeping(3))
    stage.worker(WORKER_POLL_INTERVAL="10m", WORKER_CONCURRENCY="2")
    stage.wait_for_claim(first)
    stage.watch(lambda: False, 0.5)  # it has room for another, and looks for one in vain
    later = stage.add(title="comes while another runs")
    if stage.unended([first]):  # on a machine that stalls it may have ended already, and there is no telling
        stage.wait_for_end(later, within=fixed(3) + 6, what="a task that came while another one ran")


def _oldest_transaction(stage, seconds):
    """For how long, at most, a transaction was open at any moment of the next so many seconds (scaled)."""
    oldest = 0.0

    def look():
        nonlocal oldest
        open_for = stage.probe.value(
            "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float"
            " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        oldest = max(oldest, open_for)

    stage.watch(look, seconds)
    return oldest
