"""Every answer with a body wears the same envelope, whoever in the service wrote it."""

from labkit import tasks
from labkit.checks import check
from labkit.evidence import expect

HANDOUT = "lab-01-rest-api.md#envelope"


@check(points=0.2, read=HANDOUT)
def test_around_success(api):
    """Every success carries `data` and an `error` that is null.

    What can a client check first, on every answer, before it knows which route it asked?
    """
    task = tasks.create(api)
    for path in ("/health", "/info", "/tasks", f"/tasks/{task['id']}"):
        answer = api.get(path).expect(200)
        expect(
            isinstance(answer.json, dict)
            and "error" in answer.json
            and answer.json["error"] is None
            and answer.json.get("data") is not None,
            f'{path} to answer {{"data": …, "error": null}}',
            answer,
        )


@check(points=0.2, read=HANDOUT)
def test_around_unknown_paths(api):
    """A path that does not exist is answered with 404 in the envelope.

    Which code in your service writes this answer: yours, or your framework's?
    """
    for path in ("/nowhere", "/nowhere/at/all", "/tasks/x/y/z"):
        api.get(path).expect_error(404, "not_found")


@check(points=0.15, read=HANDOUT)
def test_trailing_slash_is_another_path(api):
    """`/tasks/` is not `/tasks`: it answers 404, and redirects nobody.

    What happens to the body of a POST when the server redirects it?
    """
    api.get("/tasks/").expect_error(404, "not_found")
    api.post("/tasks/", json={"title": "x"}).expect_error(404, "not_found")
    api.get("/health/").expect_error(404, "not_found")


@check(points=0.2, read=HANDOUT)
def test_around_wrong_methods(api):
    """A method that a path does not have is answered with 405 in the envelope.

    What does your framework answer here by itself, and who could tell it to speak your language?
    """
    api.request("PATCH", "/tasks").expect_error(405, "method_not_allowed")
    api.post("/health", json={}).expect_error(405, "method_not_allowed")


@check(points=0.2, read=HANDOUT)
def test_around_broken_json(api):
    """A body that is no JSON is answered with 400 in the envelope.

    Who parses the body in your service, and what happens when that fails before your code runs?
    """
    for body in (b'{"title": "x"', b"title", b'{"title": "x",}', b"{'title': 'x'}", b'{"title": "x"} x', b""):
        api.post("/tasks", body=body).expect_error(400, "invalid_request")


@check(points=0.15, read=HANDOUT)
def test_errors_are_complete(api):
    """Every error has a code, a message for people, and a list of details.

    What would you want to read in a client's log at three in the morning?
    """
    for method, path, sent in (
        ("GET", "/nowhere", {}),
        ("GET", f"/tasks/{tasks.nobody()}", {}),
        ("PATCH", "/tasks", {}),
        ("POST", "/tasks", {"json": {}}),
        ("POST", "/tasks", {"body": b"x", "content_type": "text/plain"}),
    ):
        answer = api.request(method, path, **sent)
        error = answer.error
        expect(
            isinstance(error.get("code"), str)
            and isinstance(error.get("message"), str)
            and bool(error["message"].strip())
            and isinstance(error.get("details"), list)
            and answer.json.get("data", "") is None,
            '{"data": null, "error": {"code", "message", "details": […]}}',
            answer,
        )


@check(points=0.2, read=HANDOUT)
def test_details_name_the_field(api):
    """An error about a field names that field in its details.

    A form shows the message beside the right input. How does it know which one is meant?
    """
    for name, body in (
        ("title", {"title": ""}),
        ("priority", {"title": "x", "priority": 101}),
        ("colour", {"title": "x", "colour": "red"}),
    ):
        answer = api.post("/tasks", json=body).expect_error(400, "invalid_request")
        _names(answer, name)
    _names(api.get("/tasks?limit=0").expect_error(400, "invalid_request"), "limit")


def _names(answer, name):
    details = answer.error.get("details")
    fields = [d.get("field") for d in details if isinstance(d, dict)] if isinstance(details, list) else []
    expect(
        any(isinstance(field, str) and name in field for field in fields),
        f"`details` with an entry whose `field` names {name}",
        answer,
    )
