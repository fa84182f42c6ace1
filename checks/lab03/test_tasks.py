"""What the worker makes of a task: its types, its outcome, and a task that changes while it runs."""

from labkit.checks import check
from labkit.evidence import did, expect
from labkit.http import json_text, same_number
from labkit.stage import TAKEN_S

TYPES = "lab-03-worker.md#tasks-and-their-types"


@check(points=1.0, read="lab-03-worker.md#claiming")
def test_completes_a_task(first_task):
    """A task that is POSTed to the API is done by the worker, and the API tells how it ended.

    Follow the task from the POST to the last GET: who changes its row, and when?
    """
    claimed = any(change.claims for change in first_task)
    expect(claimed, "a claim, which is `processing`, before the end", "\n".join(map(str, first_task)))


@check(points=0.4, read=TYPES)
def test_sleeps_as_long_as_asked(common):
    """A `sleep` takes as many seconds as its payload says, fractions too, and has no result.

    How does the worker know that a task is over, and what does it write down at that moment?
    """
    for seconds in (0.6, 0, 0.0):
        task = common.add("sleep", {"seconds": seconds})
        running = _seen_running(common, task)
        [row] = common.wait_for_end(task)
        expect(row["status"] == "completed", f"a sleep of {seconds} s to be completed", common.told(task))
        expect(row["result"] is None, "null as the result of a sleep", row["result"])
        claims, ended = common.claims(task), common.history(task)[-1]
        expect(bool(claims), "a claim, which is `processing`, before the end", common.told(task))
        took = (ended.at - claims[-1].at).total_seconds()
        expect(took >= seconds * 0.95, f"{seconds} s from the claim to the end", f"{took:.2f} s")
        if seconds and running is not None:
            claimed, moved = running["updated_at"], row["updated_at"]
            expect(moved > claimed, "updated_at to move when the task ends", f"{moved}, as while it ran")


@check(points=0.6, read=TYPES)
def test_echoes_its_payload(common):
    """The result of an `echo` is its payload; of the other types only that it is null.

    What does a payload go through on its way to the handler and back, and what could become of a number, of
    a text, of nothing at all?
    """
    payload = {
        "text": 'naïve — 漢字 🙂 "quoted" back\\slash',
        "whole": 9007199254740991,
        "fraction": 0.1,
        "tiny": 5e-324,
        "minus": -12.5,
        "yes": True,
        "nothing": None,
        "empty": "",
    }
    full, empty = common.add("echo", payload), common.add("echo")
    for task, wanted in ((full, payload), (empty, {})):
        [row] = common.wait_for_end(task)
        expect(row["status"] == "completed", "an echo to be completed", common.told(task))
        expect(
            _same(row["result"], wanted),
            f"the payload as result: {json_text(wanted)}",
            json_text(row["result"]),
        )


@check(points=0.5, read=TYPES)
def test_fails_with_its_message(common):
    """A `fail` ends `failed`, with its message as the error, or with some text if it has none.

    Somebody reads this row at three in the morning. What would they want to learn from it?
    """
    message = "the disk is full — 漢字 'quoted' %s {}"
    beside = common.add("sleep", {"seconds": 1})
    common.wait_for_claim(beside)
    said, silent = common.add("fail", {"message": message, "more": 1}), common.add("fail")
    [row] = common.wait_for_end(said)
    expect(row["status"] == "failed", "status failed", common.told(said))
    expect(row["error"] == message, f"error {message!r}", repr(row["error"]))
    expect(row["attempts"] == 1, "one attempt: it was not lost, it has failed", common.told(said))
    expect(bool(row["assigned_worker"]), "assigned_worker to tell who ran it", repr(row["assigned_worker"]))
    expect(row["result"] is None, "no result", row["result"])
    [row] = common.wait_for_end(silent)
    expect(row["status"] == "failed", "status failed", common.told(silent))
    expect(bool(row["error"]), "some text in error, though there is no message", repr(row["error"]))
    common.wait_for_end(beside)
    common.expect_row(beside, "the task that ran beside it", status="completed", error=None)


@check(points=0.5, read=TYPES)
def test_refuses_unknown_types(common):
    """A task of a type that nobody knows ends `failed`, with the reason; the worker lives on.

    The API takes any type. Who is the first to find out that nobody can run it?
    """
    for kind in ("make_coffee", "no_op", "constructor", "run"):
        task = common.add(kind)
        _failed(common, task, f"a task of type {kind!r}")
    _lives_on(common)


@check(points=0.8, read=TYPES)
def test_refuses_bad_payloads(common):
    """A payload that its type can do nothing with fails the task, with the reason; the worker lives on.

    The payload is valid JSON. What else makes it good or bad for its type, and where do you ask?
    """
    bad = [{}, *({"seconds": s} for s in ("3", True, None, -1, 60.5, 61, "", -0.001))]
    asked = [("sleep", payload) for payload in bad] + [("fail", {"message": 5})]
    added = [(kind, payload, common.add(kind, payload)) for kind, payload in asked]
    for kind, payload, task in added:
        _failed(common, task, f"a {kind} with the payload {json_text(payload)}")
    good = {"seconds": 0.2, "colour": "blue"}
    fine = common.add("sleep", good)
    [row] = common.wait_for_end(fine)
    what = f"a sleep with the payload {json_text(good)} to be completed, for it is a good one"
    expect(row["status"] == "completed", what, common.told(fine))
    _lives_on(common)


@check(points=0.6, read=TYPES)
def test_survives_a_thousand_failures(common):
    """A thousand tasks that fail, one after the other, do the worker no harm.

    What does a task that fails leave behind in your process: an open connection, a transaction, an entry in
    a list?
    """
    for _ in range(2):
        common.wait_for_end(*common.add_many(500, "fail", {"message": "once more"}), within=32)
    query = "SELECT count(*) FROM tasks WHERE status::text = 'failed' AND error = 'once more'"
    failed = common.probe.value(query)
    expect(failed == 1000, "1000 failed tasks, each with its message", f"{failed} of that kind")
    connections = common.probe.connections()
    expect(connections <= 5, "at most DB_POOL_MAX=5 connections", f"{connections} connections")
    _lives_on(common)


@check(points=0.6, read=TYPES)
def test_edited_while_it_runs(common):
    """A run goes by the payload as it was when the task was claimed; an edit meanwhile stays in the table.

    Somebody saves the task while it runs. What does your worker take from the row at the end, and what does
    it write into it?
    """
    task = common.add("sleep", {"seconds": 1.2})
    common.wait_for_claim(task)
    common.probe.execute(
        """UPDATE tasks SET type = 'echo', payload = '{"seconds": 40}',"""
        " title = 'edited', description = 'later', priority = 7, updated_at = clock_timestamp()"
        " WHERE id::text = %s",
        task,
    )
    with common.probe.locked_row(task):
        common.watch(lambda: False, 1.6)  # until after its end
    [row] = common.wait_for_end(task)
    ended = {name: row[name] for name in ("status", "result", "attempts")}
    wanted = {"status": "completed", "result": None, "attempts": 1}
    expect(ended == wanted, f"the run to end as it began, as a sleep: {wanted}", ended)
    kept = {name: row[name] for name in ("title", "description", "priority", "type", "payload")}
    edited = {
        "title": "edited",
        "description": "later",
        "priority": 7,
        "type": "echo",
        "payload": {"seconds": 40},
    }
    expect(kept == edited, f"the edit to stay: {edited}", kept)


@check(points=0.5, read=TYPES)
def test_deleted_while_it_runs(common):
    """A task that is deleted while it runs stays deleted, and the worker goes on to the next.

    A task has ended, and its row is gone. What does your last statement do then, and what do you make of it?
    """
    task = common.add("sleep", {"seconds": 0.8})
    common.wait_for_claim(task)
    common.probe.execute("DELETE FROM tasks WHERE id::text = %s", task)
    common.watch(lambda: common.probe.row(task) is not None, 1.3)
    expect(common.probe.row(task) is None, "the deleted task to stay away", "it is in the table again")
    _lives_on(common)


@check(points=0.5, read="lab-03-worker.md#claiming")
def test_assigned_worker_names_it(stage):
    """Workers that were given no WORKER_ID make names up, and no two have the same.

    Two workers on one machine take a task each. What tells them apart?
    """
    stage.worker()
    stage.worker()
    tasks = []
    for which in ("first", "second"):  # one after the other: nobody can take both
        tasks.append(stage.add("sleep", {"seconds": 60}))
        stage.wait_for_claim(tasks[-1], expected=f"the {which} task to be claimed")
    did("look who runs the two tasks")
    names = [stage.row(task)["assigned_worker"] for task in tasks]
    expect(len(set(names) - {None, ""}) == 2, "two workers, one on each task, with two names", names)


def _seen_running(stage, task):
    """The row of a task that sleeps, as it was while it ran; None if nobody has seen it run."""
    stage.until(lambda: stage.row(task)["status"] != "pending", within=TAKEN_S)
    row = stage.row(task)
    return row if row["status"] == "processing" else None


def _failed(stage, task, what):
    [row] = stage.wait_for_end(task, what=what)
    expect(row["status"] == "failed", f"{what} to end as failed", stage.told(task))
    expect(bool(row["error"]), f"a reason in the error of {what}", repr(row["error"]))


def _lives_on(stage):
    after = stage.add(title="the task after that")
    [row] = stage.wait_for_end(after)
    expect(row["status"] == "completed", "the next task to be completed", stage.told(after))


def _same(found, wanted):
    return (
        isinstance(found, dict)
        and found.keys() == wanted.keys()
        and all(found[k] == wanted[k] or same_number(found[k], wanted[k]) for k in wanted)
        and all(isinstance(found[k], bool) == isinstance(wanted[k], bool) for k in wanted)
    )
