"""POST /tasks: what the client gives comes in, what the server adds comes out."""

import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

from labkit import tasks
from labkit.checks import check
from labkit.evidence import expect
from labkit.http import json_text, same_number

HANDOUT = "lab-01-rest-api.md#creating-tasks"
WHOLE = {
    "title": "Resize the holiday pictures",
    "description": "All 312 of them, überall gleich groß 🌴",
    "priority": -7,
    "type": "resize_images",
    "payload": {"width": 1024, "ratio": 0.75, "format": "webp", "keep": True, "caption": None},
}


@check(points=0.2, read=HANDOUT)
def test_answers_201(api):
    """`POST /tasks` with a title creates a task and answers 201 with it.

    What tells a client that something new exists now, and not merely that all went well?
    """
    task = api.post("/tasks", json={"title": "Water the plants"}).expect(201).task
    expect(task.get("title") == "Water the plants", "the task that was sent, in `data`", task)


@check(points=0.15, read=HANDOUT)
def test_says_where(api):
    """The answer's `Location` header leads to the new task.

    How does a client find what it just created without knowing how you build your paths?
    """
    answer = tasks.created(api, "Find me again")
    task_id = answer.task["id"]
    wanted = f"/tasks/{task_id}"
    location = answer.headers.get("location", "")
    expect(
        _path(location).lower() == wanted.lower(),
        "a `Location` that leads to the task in `data`",
        f"Location: {location}, id {task_id}" if location else f"no Location header; id {task_id}",
    )


@check(points=0.2, read=HANDOUT)
def test_keeps_what_was_sent(api):
    """Title, description, priority, type and payload come back exactly as they were sent.

    Through how many hands does a value go between the request's bytes and the answer's, and which of
    them may change it?
    """
    task = tasks.create(api, **WHOLE)
    for name, value in WHOLE.items():
        expect(task.get(name) == value, f"`{name}` to be {value!r}", f"{task.get(name)!r}")
    kept = task["payload"]["keep"]
    expect(kept is True, "`keep` in the payload to be true, as it was sent", repr(kept))  # 1 equals True


@check(points=0.2, read=HANDOUT)
def test_fills_in_defaults(api):
    """Fields that the client leaves out get their defaults.

    Where do your defaults stand: in the contract, in the code, or in both, and what happens when they
    disagree?
    """
    task = tasks.create(api, "Only a title")
    for name, value in {"description": "", "priority": 0, "type": "noop", "payload": {}}.items():
        expect(
            name in task and task[name] == value and not isinstance(task[name], bool),
            f"`{name}` to be {json_text(value)} by default",
            json_text(task[name]) if name in task else "there is no such field",
        )


@check(points=0.2, read=HANDOUT)
def test_server_sets_the_rest(api):
    """A new task is pending, untried, without result, error or worker.

    Which fields tell the task's story, and who alone may write them?
    """
    task = tasks.create(api)
    wanted = {"status": "pending", "attempts": 0, "result": None, "error": None, "assigned_worker": None}
    for name, value in wanted.items():
        expect(
            name in task and task[name] == value,
            f"`{name}` of a new task to be {json_text(value)}",
            json_text(task[name]) if name in task else "there is no such field",
        )


@check(points=0.15, read=HANDOUT)
def test_ids_are_uuids_of_their_own(api):
    """Every task gets an id of its own, a UUID, even if all else is equal.

    What makes a task this one and no other, if everything that the client said about it is the same?
    """
    ids = [tasks.create(api, "The very same")["id"] for _ in range(5)]
    for text in ids:
        try:
            canonical = str(uuid.UUID(str(text)))
        except ValueError:
            canonical = ""
        expect(str(text).lower() == canonical, "ids that are UUIDs in hyphenated form", repr(text))
    expect(len(set(ids)) == 5, "five different ids for five tasks", f"{len(set(ids))} different ones")
    api.delete(f"/tasks/{ids[-1]}")
    again = tasks.create(api, "The very same")["id"]
    expect(again not in ids, "an id that no task has had before, a deleted one included", repr(again))


@check(points=0.15, read=HANDOUT)
def test_times_are_now_and_utc(api):
    """`created_at` and `updated_at` are the moment of creation, in UTC.

    Your laptop, the server and the database sit in three time zones. Whose clock does the client read?
    """
    before = datetime.now(UTC)
    task = tasks.create(api)
    after = datetime.now(UTC)
    for name in ("created_at", "updated_at"):
        try:
            moment = datetime.fromisoformat(str(task.get(name)).replace("z", "Z"))
        except ValueError:
            moment = None
        slack = timedelta(seconds=2)
        expect(
            moment is not None
            and moment.utcoffset() == timedelta(0)
            and before - slack <= moment <= after + slack,
            f"`{name}` to be now, {before:%Y-%m-%dT%H:%M:%SZ}, as RFC 3339 in UTC",
            json_text(task[name]) if name in task else "there is no such field",
        )


@check(points=0.15, read=HANDOUT)
def test_numbers_come_back_equal(api):
    """Numbers in the payload come back equal: large, small, negative and fractional ones.

    What does your language's JSON parser make of 0.1, of 1e300, of 9007199254740991?
    """
    numbers = {
        "tenth": 0.1,
        "huge": 1e300,
        "tiny": -2.5e-300,
        "safe": 9007199254740991,
        "third": 1 / 3,
        "one": 1.0,
    }
    payload = tasks.create(api, payload=numbers).get("payload")
    for name, value in numbers.items():
        found = payload.get(name) if isinstance(payload, dict) else None
        expect(same_number(found, value), f"payload `{name}` to equal {value!r}", repr(found))


def _path(location):
    """The path that a Location leads to from /tasks; empty if it is no URL."""
    try:
        return urlsplit(urljoin("/tasks", location)).path
    except ValueError:
        return ""
