"""DELETE /tasks/{id}: gone is gone, and only that one."""

from labkit import tasks
from labkit.checks import check
from labkit.evidence import expect

HANDOUT = "lab-01-rest-api.md#deleting"


@check(points=0.2, read=HANDOUT)
def test_answers_204(api):
    """`DELETE /tasks/{id}` answers 204 without a body.

    What is there left to say about something that is gone?
    """
    task = tasks.create(api)
    answer = api.delete(f"/tasks/{task['id']}").expect(204)
    expect(answer.body == b"", "no body", answer)


@check(points=0.2, read=HANDOUT)
def test_is_gone(api):
    """A deleted task can no longer be read and is in no list.

    Where does your service remember a task, and is it the same place everywhere?
    """
    task = tasks.create(api)
    total = tasks.total(api)
    api.delete(f"/tasks/{task['id']}").expect(204)
    api.get(f"/tasks/{task['id']}").expect_error(404, "not_found", "for a task that was deleted")
    after = tasks.total(api)
    expect(
        after == total - 1,
        "`meta.total` to be one less than before the DELETE",
        f"{total} before, {after} after",
    )
    for page in range(1, -(-after // 100) + 1):
        listed = [one["id"] for one in api.get(f"/tasks?limit=100&page={page}").expect(200).tasks]
        expect(task["id"] not in listed, "the deleted task to be in no list", f"it is on page {page}")


@check(points=0.2, read=HANDOUT)
def test_second_time_is_404(api):
    """Deleting a task for the second time answers 404.

    DELETE is idempotent. Does that mean that the answer stays the same, or something else?
    """
    task = tasks.create(api)
    api.delete(f"/tasks/{task['id']}").expect(204)
    api.delete(f"/tasks/{task['id']}").expect_error(404, "not_found", "the second time")


@check(points=0.15, read=HANDOUT)
def test_never_was_is_404(api):
    """Deleting a task that never was answers 404.

    How does your code notice that there was nothing to delete?
    """
    api.delete(f"/tasks/{tasks.nobody()}").expect_error(404, "not_found")


@check(points=0.2, read=HANDOUT)
def test_leaves_all_others(api):
    """Deleting one task leaves all others.

    What is the smallest mistake that would delete them all?
    """
    before, task, after = (tasks.create(api, f"neighbour {n}") for n in range(3))
    api.delete(f"/tasks/{task['id']}").expect(204)
    for neighbour in (before, after):
        now = api.get(f"/tasks/{neighbour['id']}").expect(200, "for a task that nobody deleted").task
        tasks.expect_same(now, neighbour, "the neighbour")
