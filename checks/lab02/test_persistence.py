"""Tasks live in PostgreSQL, and nowhere else."""

import re
import signal
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from uuid import UUID

from labkit import services, tasks
from labkit.checks import check
from labkit.deadlines import wait_until
from labkit.evidence import CheckFailed, did, expect, journal
from labkit.project import ProjectError

HANDOUT = "lab-02-database.md#tasks-that-stay"
WHOLE = {
    "title": "Pay the rent",
    "description": "before the third, auch im März 🌧",
    "priority": 17,
    "type": "transfer",
    "payload": {"amount": 850.5, "note": "März", "urgent": False, "ref": None},
}
THE_SERVERS = (
    "id", "status", "result", "error", "attempts", "assigned_worker", "request_id", "created_at",
    "updated_at",
)  # fmt: skip


@check(points=0.3, read=HANDOUT)
def test_works_on_the_database(shared_stack, table_there):
    """On a migrated database the API starts, and a task can be created and read back.

    Which of your parts meet here for the first time: the migrations, the pool, the queries?
    """
    if isinstance(shared_stack, ProjectError):
        raise CheckFailed(shared_stack.expected, shared_stack.saw)
    expect(table_there, "a table `tasks` in the database once `migrate` has run", "no such table")
    api = shared_stack.client
    created = api.post("/tasks", json={"title": "Into the table"}).expect(201).task
    again = api.get(f"/tasks/{created['id']}").expect(200).task
    expect(again.get("title") == "Into the table", "the task that was created", again)


@check(points=0.2, read=HANDOUT)
def test_health_names_the_database(api):
    """`GET /health` says that the database is up.

    How does the service know, without looking?
    """
    answer = api.get("/health").expect(200)
    expect(
        isinstance(answer.data, dict) and answer.data.get("database") == "up",
        '`"database": "up"` in `data`',
        answer,
    )


@check(points=0.4, read=HANDOUT)
def test_survives_a_restart(stack, api, the_project):
    """Tasks are still there, unchanged, after the API was stopped and started again.

    What in your service would be lost if somebody pulled the plug?
    """
    before = tasks.read(api, tasks.create(api, **WHOLE))
    stack.service.send(signal.SIGTERM)
    stack.service.wait(within=10)
    did("start `api` again")
    stack.service = services.restart_api(the_project, stack.service)
    journal().logs.append(stack.service.tail())
    after = api.get(f"/tasks/{before['id']}").expect(200, "after the restart").task
    tasks.expect_same(after, before)


@check(points=0.3, read=HANDOUT)
def test_an_answer_is_a_promise(own_api):
    """A task whose creation was answered is kept even if the API is killed the next moment.

    When exactly is a task safe, and does your client hear «201» before or after that?
    """
    with own_api(fresh=True) as own, ThreadPoolExecutor(1) as pool:
        with own.probe.commits_held():
            first = pool.submit(own.api.post, "/tasks", json={"title": "promise"})
            wait_until(lambda: first.done() or own.probe.waiting(), within=5)
            answered = wait([first], timeout=0.3).done  # not scaled: the API may have deadlines of its own
            if answered:
                expect(False, "no answer before the transaction is committed", first.result())
        created = [first.result().expect(201).task, *(tasks.create(own.api, "promise") for _ in range(4))]
        own.service.send(signal.SIGKILL)
        own.service.wait(within=5)
        kept = [task for task in created if own.probe.row(task["id"])]
        expect(len(kept) == len(created), f"{len(created)} rows in the table", f"{len(kept)} rows")


@check(points=0.5, read=HANDOUT)
def test_rows_equal_answers(api, probe):
    """Every field of an answer is what the table holds.

    How many copies of a task are there, and which one is the truth?
    """
    task = tasks.create(api, **WHOLE)
    row = probe.row(task["id"])
    expect(row is not None, "a row in `tasks` with the id of the answer", "no such row")
    for name in (*tasks.CLIENT_FIELDS, *THE_SERVERS):  # an answer may hold more, which is no column
        if name not in task:
            continue  # the contract's checks say so
        expect(name in row, f"a column `{name}` in `tasks`", f"columns {', '.join(row)}")
        expect(
            _same(task[name], row[name]),
            f"`{name}` in the answer to be what the column holds: {_shown(row[name])}",
            _shown(task[name]),
        )


@check(points=0.3, read=HANDOUT)
def test_reads_what_others_wrote(api, probe):
    """A row that somebody else writes into the table is there for the API at once.

    The worker will write into this table as well. When do you want to know of it?
    """
    task_id = probe.insert(title="Written with psql")
    task = api.get(f"/tasks/{task_id}").expect(200).task
    expect(
        task.get("title") == "Written with psql" and task.get("status") == "pending",
        "that task, pending",
        task,
    )
    probe.execute(
        "UPDATE tasks SET status = 'completed', result = '{\"done\": 1}' WHERE id::text = %s", task_id
    )
    task = api.get(f"/tasks/{task_id}").expect(200).task
    expect(
        task.get("status") == "completed" and task.get("result") == {"done": 1},
        'status completed and result {"done": 1}',
        task,
    )


@check(points=0.2, read=HANDOUT)
def test_two_services_see_the_same(api, own_api):
    """Two API processes on one database see each other's tasks.

    Tomorrow three copies of your service share the work. Where does each have from what it tells of a task?
    """
    with own_api() as other:
        task = tasks.create(api, "Created here")
        path = f"/tasks/{task['id']}"
        there = other.api.get(path).expect(200, "from the second process").task
        tasks.expect_same(there, task, "from the second process, the task")
        changed = api.put(path, json={"title": "Changed here"}).expect(200).task
        there = other.api.get(path).expect(200, "from the second process").task
        tasks.expect_same(there, changed, "from the second process, the task that the first has changed,")
        other.api.delete(path).expect(204)
        api.get(path).expect_error(404, "not_found", "after the second process deleted it")


@check(points=0.3, read=HANDOUT)
def test_filters_by_status(api, probe):
    """`status` filters in the database: the page and the total count only those tasks.

    Where should the filter be, so that page 2 of the failed tasks is really page 2?
    """
    probe.execute("DELETE FROM tasks")
    for number in range(9):
        status = ("pending", "completed", "failed")[number % 3]
        probe.insert(title=f"{status} {number}", status=status)
    for status in ("pending", "completed", "failed"):
        answer = api.get(f"/tasks?status={status}&limit=2&page=2").expect(200)
        expect(
            [task.get("status") for task in answer.tasks] == [status] and answer.meta.get("total") == 3,
            f"one {status} task on page 2 of 2, and a total of 3",
            f"{[task.get('title') for task in answer.tasks]}, total {answer.meta.get('total')}",
        )


@check(points=0.3, read=HANDOUT)
def test_orders_by_time_then_id(api, probe):
    """Lists are ordered by `created_at`, and by `id` where two tasks have the same time.

    Ten rows came in with one INSERT, all at the same moment. In which order are they tomorrow?
    """
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    ids = [f"{digit:x}0000000-0000-4000-8000-000000000000" for digit in (7, 2, 11, 4, 14, 1)]
    probe.execute("DELETE FROM tasks")
    for number, task_id in enumerate(ids):
        probe.insert(id=task_id, title=f"task {number}", created_at=noon)
    earliest = "f0000000-0000-4000-8000-000000000000"
    probe.insert(id=earliest, title="first", created_at=noon - timedelta(1))
    seen = []
    for page in (1, 2, 3, 4):
        seen += [task["id"].lower() for task in api.get(f"/tasks?limit=2&page={page}").expect(200).tasks]
    wanted = [earliest, *sorted(ids)]
    expect(seen == wanted, "oldest first, equal times by id: " + _short(wanted), _short(seen))


@check(points=0.3, read=HANDOUT)
def test_put_leaves_the_outcome(api, probe):
    """Replacing a finished task changes neither its status nor its result.

    Whose work would be lost if it did?
    """
    task = tasks.create(api, **WHOLE)
    probe.execute(
        "UPDATE tasks SET status = 'completed', result = '{\"x\": 1}', attempts = 2, assigned_worker = 'w1'"
        " WHERE id::text = %s",
        task["id"],
    )
    api.put(f"/tasks/{task['id']}", json={"title": "Renamed"}).expect(200)
    row = probe.row(task["id"]) or {}
    for name, value in {
        "status": "completed",
        "result": {"x": 1},
        "attempts": 2,
        "assigned_worker": "w1",
    }.items():
        expect(row.get(name) == value, f"column `{name}` still {value!r}", repr(row.get(name)))


@check(points=0.2, read=HANDOUT)
def test_delete_removes_the_row(api, probe):
    """A deleted task leaves no row behind, and takes no other with it.

    Is a task deleted when nobody can see it any more, or when it is no longer there?
    """
    task, other = tasks.create(api), tasks.create(api)
    before = probe.count()
    api.delete(f"/tasks/{task['id']}").expect(204)
    expect(probe.row(task["id"]) is None, "no row for the deleted task", "its row is still there")
    expect(
        probe.count() == before - 1 and probe.row(other["id"]) is not None,
        f"{before - 1} rows, one less than before, the other task among them",
        f"{probe.count()} rows, {'with' if probe.row(other['id']) else 'without'} the other task",
    )


def _shown(value):
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _same(answered, stored):
    """Whether a field of an answer and a column's value are the same thing."""
    if isinstance(stored, datetime):
        return _same_time(str(answered), stored)
    if isinstance(stored, UUID):
        return str(answered).lower() == str(stored)
    if answered is None or isinstance(answered, (dict, int)):
        return answered == stored
    return str(answered) == str(stored)


def _same_time(text, stored):
    """Whether a time in an answer is the one that is stored, as far as it goes; without a zone it is UTC."""
    try:
        shown = datetime.fromisoformat(text)
    except ValueError:
        return False
    fraction = re.search(r"\.(\d+)", text)
    accuracy = timedelta(seconds=10 ** -len(fraction[1]) if fraction else 1)
    shown, stored = (time if time.tzinfo else time.replace(tzinfo=UTC) for time in (shown, stored))
    return abs(shown - stored) < accuracy


def _short(ids):
    return " ".join(text[:2] for text in ids) or "no tasks"
