"""X-Request-ID: one name for a request, from the client through every answer to the task."""

import uuid

from labkit import tasks
from labkit.checks import check
from labkit.evidence import expect, shorten

HANDOUT = "lab-01-rest-api.md#request-ids"
HEADER = "X-Request-ID"


@check(points=0.2, read=HANDOUT)
def test_given_id_comes_back(api):
    """The client's `X-Request-ID` comes back in the answer.

    A customer reports an error and quotes a number. What do you search your logs for?
    """
    for given in ("order-4711", "a", "A.b_c-9" * 18, str(uuid.uuid4())):
        answer = api.get("/health", headers={HEADER: given})
        expect(answer.headers.get(HEADER) == given, f"the {HEADER} that we sent, {given}", _shown(answer))


@check(points=0.2, read=HANDOUT)
def test_missing_id_is_made(api):
    """Without one, every answer gets an id of its own, a UUID.

    Which requests are worth finding again: those whose client thought of an id, or all?
    """
    made = []
    for _ in range(5):
        answer = api.get("/tasks")
        made.append(_made(answer))
    saw = f"{len(set(made))} different ones; the first was {made[0]}"
    expect(len(set(made)) == 5, "five different ids for five requests", saw)


@check(points=0.2, read=HANDOUT)
def test_unusable_id_is_replaced(api):
    """An id that could do harm, or that is too long, is replaced by a new one.

    Where does this text go: into how many logs, files and terminals, and what could it do there?
    """
    for given in ("x" * 129, "two words", "semi;colon", '{"level":"error"}', "<b>"):
        _made(
            api.get("/health", headers={HEADER: given}),
            f"in the place of {shorten(given, 60)}, which we sent",
        )


@check(points=0.2, read=HANDOUT)
def test_is_on_errors_too(api):
    """Errors carry the id as well, whoever made them: unknown path, wrong method, bad input.

    For which answers will somebody want to look into the logs?
    """
    for method, path, sent in (
        ("GET", "/nowhere", {}),
        ("PATCH", "/tasks", {}),
        ("GET", "/tasks?limit=0", {}),
        ("GET", f"/tasks/{tasks.nobody()}", {}),
        ("POST", "/tasks", {"json": {}}),
        ("POST", "/tasks", {"body": b"x", "content_type": "text/plain"}),
        ("POST", "/tasks", {"body": b"x" * 70_000}),
    ):
        answer = api.request(method, path, headers={HEADER: "look-me-up"}, **sent)
        expect(
            answer.headers.get(HEADER) == "look-me-up",
            f"the {HEADER} that we sent, look-me-up, with the {answer.status} as well",
            _shown(answer),
        )


@check(points=0.2, read=HANDOUT)
def test_is_kept_with_the_task(api):
    """A task remembers the id of the request that created it, given or made, and keeps it.

    The worker runs the task an hour later. How will its log lines be found beside yours?
    """
    answer = tasks.created(api, headers={HEADER: "created-by-this"})
    expect(
        answer.task.get("request_id") == "created-by-this",
        f"`request_id` to be the {HEADER} that we sent, created-by-this",
        answer,
    )
    api.put(f"/tasks/{answer.task['id']}", json={"title": "y"}, headers={HEADER: "changed-by-that"}).expect(
        200
    )
    kept = tasks.read(api, answer.task).get("request_id")
    expect(kept == "created-by-this", "`request_id` still created-by-this after a PUT", repr(kept))
    made = tasks.created(api)
    expect(
        made.task.get("request_id") == made.headers.get(HEADER),
        f"`request_id` to be the answer's {HEADER}",
        f"{made.task.get('request_id')!r} and {_shown(made)}",
    )


def _made(answer, because=""):
    found = answer.headers.get(HEADER, "")
    try:
        uuid.UUID(found)
    except ValueError:
        found = ""
    expect(bool(found), f"a new {HEADER}, a UUID {because}".rstrip(), _shown(answer))
    return found


def _shown(answer):
    found = answer.headers.get(HEADER)
    return f"no {HEADER}" if found is None else f"{HEADER}: {shorten(found, 140)}"
