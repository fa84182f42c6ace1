"""What was begun is finished, also when the service is told to stop, and when two do the same at once."""

import signal
from concurrent.futures import ThreadPoolExecutor, wait

from labkit import tasks
from labkit.checks import check
from labkit.deadlines import fixed, wait_until
from labkit.evidence import Journal, did, expect, recording
from labkit.ports import accepts_connections

HANDOUT = "lab-02-database.md#finishing-what-was-begun"


@check(points=0.6, read=HANDOUT)
def test_request_in_flight_is_answered(own_api):
    """A request that waits for the database when SIGTERM or SIGINT arrives still gets its answer, no new ones
    come in, and the API then exits 0.

    During a rolling update your service is stopped a hundred times a day. What do its clients notice?
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        _finishes_on(number, own_api)


@check(points=0.4, read=HANDOUT)
def test_gives_up_in_the_end(own_api):
    """A request that cannot be finished holds the API back for SHUTDOWN_TIMEOUT, and no longer.

    How long may the last request of the day take, and who has the right to say so?
    """
    with (
        own_api(SHUTDOWN_TIMEOUT="1s") as own,
        ThreadPoolExecutor(1) as pool,
        recording(Journal()) as journal,
    ):
        with own.probe.locked_table():
            pool.submit(own.api.post, "/tasks", json={"title": "never"})
            own.probe.wait_for_waiting(1)
            own.service.send(signal.SIGTERM)
            did("wait, with the table still locked")
            code = own.service.wait(within=fixed(6))
    did("\n".join(action.text for action in journal.actions[:-1]))
    limit = "exit status 0 within SHUTDOWN_TIMEOUT=1s and five seconds, the table still locked"
    expect(code == 0, limit, _said(code))


@check(points=0.4, read=HANDOUT)
def test_parallel_puts_leave_one_whole(api, probe):
    """Of many PUTs on one task at once, the task ends as one of them, whole.

    Two people edit the same task. What would be worse than losing one of their versions?
    """
    task = tasks.create(api)
    versions = [
        {
            "title": f"version {n}",
            "description": f"text {n}",
            "priority": n,
            "type": f"kind_{n}",
            "payload": {"n": n},
        }
        for n in range(12)
    ]
    path = f"/tasks/{task['id']}"
    with ThreadPoolExecutor(12) as pool, probe.locked_row(task["id"]):
        did("12 clients at once: PUT, each with a version of its own")
        with recording(Journal()):
            answers = [pool.submit(api.put, path, json=version) for version in versions]
            probe.wait_for_waiting(2, within=2)
    for answer, version in zip(answers, versions, strict=True):
        shown = answer.result().expect(200).task
        expect(_of(shown) == version, f"the answer to show the version that was sent: {version}", shown)
    row = probe.row(task["id"]) or {}
    expect(_of(row) in versions, "one of the 12 versions, whole", _of(row))


@check(points=0.3, read=HANDOUT)
def test_one_delete_wins(api, probe):
    """Of several DELETEs of one task at once, one is answered 204 and the others 404.

    Who deletes a thing that two want to delete, and how does each know?
    """
    task = tasks.create(api)
    with ThreadPoolExecutor(5) as pool, probe.locked_row(task["id"]):
        did("5 clients at once: DELETE the same task")
        with recording(Journal()):
            answers = [pool.submit(api.delete, f"/tasks/{task['id']}") for _ in range(5)]
            probe.wait_for_waiting(2, within=2)
    statuses = sorted(answer.result().status for answer in answers)
    expect(statuses == [204, 404, 404, 404, 404], "204 once and 404 four times", statuses)


def _finishes_on(number, own_api):
    with own_api(SHUTDOWN_TIMEOUT="20s") as own, ThreadPoolExecutor(1) as pool:
        with own.probe.locked_table():
            answer = pool.submit(own.api.post, "/tasks", json={"title": "in flight"})
            expect(
                own.probe.wait_for_waiting(1),
                "the request to wait for the locked table",
                f"it has its answer: {answer.result()}" if answer.done() else "nobody waits",
            )
            own.service.send(number)
            wait([answer], timeout=1.5)  # not scaled: the API may have deadlines of its own
            expect(
                own.service.exit_code is None,
                "the API to wait for the request in flight",
                f"it ended with status {own.service.exit_code}",
            )
            port = int(own.service.settings["API_PORT"])
            closed = wait_until(lambda: not accepts_connections(port), within=2)
            expect(bool(closed), f"no new connections from {number.name} on", f"port {port} still takes them")
        created = answer.result().expect(201, "for the request in flight").task
        code = own.service.wait(within=6)
        expect(code == 0, "exit status 0 soon after the answer", _said(code))
        expect(own.probe.row(created["id"]) is not None, "the task in the table", "no such row")


def _of(task):
    return {name: task.get(name) for name in tasks.CLIENT_FIELDS}


def _said(code):
    return "it still runs" if code is None else f"status {code}"
