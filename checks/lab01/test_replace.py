"""PUT /tasks/{id}: the task becomes what the client says, and nothing else does."""

from labkit import tasks
from labkit.checks import check
from labkit.deadlines import wait_until
from labkit.evidence import expect

HANDOUT = "lab-01-rest-api.md#replacing"
NEW = {
    "title": "Rewritten",
    "description": "from top to bottom",
    "priority": 42,
    "type": "echo",
    "payload": {"again": True},
}


@check(points=0.2, read=HANDOUT)
def test_answers_with_the_new_task(api):
    """`PUT /tasks/{id}` answers 200 with the task as it is now.

    What should a client not have to do after it has replaced something?
    """
    task = tasks.create(api, "Rewrite me", payload={"old": 1})
    answer = api.put(f"/tasks/{task['id']}", json=NEW).expect(200).task
    for name, value in NEW.items():
        expect(answer.get(name) == value, f"`{name}` to be {value!r}", repr(answer.get(name)))


@check(points=0.2, read=HANDOUT)
def test_is_there_afterwards(api):
    """What PUT answered is what a later GET reads.

    Is your answer proof that the change was kept, or only that it was understood?
    """
    task = tasks.create(api, "Rewrite me")
    answer = api.put(f"/tasks/{task['id']}", json=NEW).expect(200).task
    after = tasks.read(api, task)
    sent = {name: answer.get(name) for name in NEW}
    tasks.expect_same(
        {name: after.get(name) for name in NEW}, sent, "GET to read what PUT answered, the task"
    )


@check(points=0.2, read=HANDOUT)
def test_resets_what_is_left_out(api):
    """A field that is left out goes back to its default: PUT replaces, it does not patch.

    Which two verbs of HTTP change a thing, and what does each promise about the fields that you don't send?
    """
    task = tasks.create(api, **NEW)
    api.put(f"/tasks/{task['id']}", json={"title": "Only a title"}).expect(200)
    after = tasks.read(api, task)
    expect(after.get("title") == "Only a title", "`title` to be 'Only a title'", repr(after.get("title")))
    for name, value in {"description": "", "priority": 0, "type": "noop", "payload": {}}.items():
        expect(after.get(name) == value, f"`{name}` to be {value!r} again", repr(after.get(name)))


@check(points=0.2, read=HANDOUT)
def test_leaves_the_servers_fields(api):
    """Id, status, attempts, creation time, request id and the outcome stay as they were.

    Which parts of a task are not the client's to rewrite?
    """
    task = tasks.create(api, "Rewrite me")
    answer = api.put(f"/tasks/{task['id']}", json=NEW).expect(200).task
    for name in (
        "id",
        "status",
        "attempts",
        "created_at",
        "request_id",
        "result",
        "error",
        "assigned_worker",
    ):
        expect(
            answer.get(name) == task.get(name), f"`{name}` still {task.get(name)!r}", repr(answer.get(name))
        )


@check(points=0.2, read=HANDOUT)
def test_changes_no_other_task(api):
    """Replacing one task changes no other.

    Which part of your code says which task is meant, and what if it were missing?
    """
    before, task, after = (tasks.create(api, f"neighbour {n}") for n in range(3))
    api.put(f"/tasks/{task['id']}", json=NEW).expect(200)
    for neighbour in (before, after):
        tasks.expect_same(tasks.read(api, neighbour), neighbour, "the neighbour")


@check(points=0.15, read=HANDOUT)
def test_moves_updated_at(api):
    """`updated_at` moves to a later time, `created_at` stays.

    How does a client that polls find out that something has changed?
    """
    task = tasks.create(api, "Rewrite me")
    before = tasks.read(api, task)
    unmoved = "`updated_at` as it was, for nothing has changed yet"
    expect(before.get("updated_at") == task.get("updated_at"), unmoved, repr(before.get("updated_at")))

    def moved():
        answer = api.put(f"/tasks/{task['id']}", json=NEW).expect(200).task
        return answer if str(answer.get("updated_at")) > str(task.get("updated_at")) else None

    later = wait_until(moved, within=1.2, every=0.2)
    expect(
        bool(later), f"`updated_at` later than {task.get('updated_at')}", "the same time, or an earlier one"
    )
    created = task.get("created_at")
    expect(later.get("created_at") == created, f"`created_at` still {created}", repr(later.get("created_at")))


@check(points=0.15, read=HANDOUT)
def test_can_be_repeated(api):
    """The same PUT twice leaves the same task; only `updated_at` may differ.

    The answer got lost, and the client sends its request again. What has happened twice?
    """
    task = tasks.create(api, "Rewrite me")
    path = f"/tasks/{task['id']}"
    total = tasks.total(api)
    first = api.put(path, json=NEW).expect(200).task
    second = api.put(path, json=NEW).expect(200).task
    differing = [name for name in first if name != "updated_at" and first[name] != second.get(name)]
    expect(not differing, "nothing but `updated_at` to differ", f"these differ, too: {', '.join(differing)}")
    after = tasks.total(api)
    expect(after == total, f"{total} tasks, as before", f"{after} tasks")


@check(points=0.2, read=HANDOUT)
def test_creates_nothing(api):
    """Replacing a task that does not exist answers 404 and creates nothing.

    Who gives a new task its id?
    """
    path = f"/tasks/{tasks.nobody()}"
    api.put(path, json=NEW).expect_error(404, "not_found")
    api.get(path).expect_error(404, "not_found")
