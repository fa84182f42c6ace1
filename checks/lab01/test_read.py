"""GET /tasks/{id}: one task, or a clear no."""

from labkit import tasks
from labkit.checks import check
from labkit.evidence import expect

HANDOUT = "lab-01-rest-api.md#routes"


@check(points=0.2, read=HANDOUT)
def test_gives_the_task(api):
    """`GET /tasks/{id}` answers 200 with the task as it was created.

    Does your answer come from what the client sent, or from what you stored?
    """
    task = tasks.create(api, "Read me", payload={"n": 1})
    again = api.get(f"/tasks/{task['id']}").expect(200).task
    expect(again == task, f"the task as POST answered it: {task}", again)


@check(points=0.15, read=HANDOUT)
def test_finds_it_in_any_case(api):
    """A task's id is found in capitals, too: a UUID means the same in any case.

    Do you compare ids as what they are, or as the text they were written in?
    """
    task = tasks.create(api, "Found in any case")
    again = api.get(f"/tasks/{str(task['id']).upper()}").expect(200, "for the same id in capitals").task
    for name, found in (("id", str(again.get("id")).lower()), ("title", again.get("title"))):
        wanted = str(task["id"]).lower() if name == "id" else "Found in any case"
        expect(found == wanted, f"the task with the {name} {wanted!r}", repr(found))


@check(points=0.2, read=HANDOUT)
def test_unknown_task_is_404(api):
    """A well-formed id that no task has is answered with 404.

    What should a client do after a 404, and would it do the same after a 400 or a 500?
    """
    api.get(f"/tasks/{tasks.nobody()}").expect_error(404, "not_found")


@check(points=0.2, read=HANDOUT)
def test_malformed_id_is_400(api):
    """What is no UUID in canonical hyphenated form is answered with 400, whatever the method.

    Who should notice that an id cannot exist: your route, or the place where the tasks are kept?
    """
    for text in ("7", "not-a-uuid", tasks.nobody().replace("-", ""), tasks.nobody() + "0"):
        api.get(f"/tasks/{text}").expect_error(400, "invalid_request")
        api.delete(f"/tasks/{text}").expect_error(400, "invalid_request")
        api.put(f"/tasks/{text}", json={"title": "x"}).expect_error(400, "invalid_request")
