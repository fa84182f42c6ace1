"""POST /tasks: what is taken, and what is refused."""

import pytest
from httpx import AsyncClient
from store import DictStore

pytestmark = pytest.mark.anyio

EVERYTHING = {
    "title": "Water the plants",
    "description": "those on the balcony, too",
    "priority": 7,
    "type": "echo",
    "payload": {"litres": 1.5, "name": "Gießkanne", "done": False, "note": None},
}


async def test_a_created_task_is_201_and_there(client: AsyncClient) -> None:
    created = await client.post("/tasks", json=EVERYTHING)
    assert created.status_code == 201
    task = created.json()["data"]
    assert created.headers["location"].endswith(f"/tasks/{task['id']}")
    assert task.items() >= EVERYTHING.items()
    assert (await client.get(f"/tasks/{task['id']}")).json()["data"] == task


async def test_what_is_left_out_has_its_default(client: AsyncClient) -> None:
    task = (await client.post("/tasks", json={"title": "x"})).json()["data"]
    assert (task["description"], task["priority"], task["type"], task["payload"]) == ("", 0, "noop", {})
    assert (task["status"], task["attempts"], task["result"], task["error"]) == ("pending", 0, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", " \t\u2003"),
        ("title", "x" * 201),
        ("title", None),
        ("description", "x" * 2001),
        ("priority", 101),
        ("priority", -101),
        ("priority", True),
        ("type", "Noop"),
        ("payload", {"1st": 1}),
        ("payload", {"list": []}),
        ("status", "completed"),
        ("prioritty", 1),
    ],
)
async def test_a_field_that_is_wrong_is_named(
    client: AsyncClient, store: DictStore, field: str, value: object
) -> None:
    answer = await client.post("/tasks", json={"title": "x", field: value})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "invalid_request"
    assert [detail["field"].split(".")[0] for detail in error["details"]] == [field]
    assert not store.tasks


@pytest.mark.parametrize("title", ["x", "x" * 200, "🌱" * 200])
async def test_the_longest_title_is_taken(client: AsyncClient, title: str) -> None:
    answer = await client.post("/tasks", json={"title": title})
    assert (answer.status_code, answer.json()["data"]["title"]) == (201, title)


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b'{"title": ', "application/json", 400),
        (b"", "application/json", 400),
        (b"title=x", "application/x-www-form-urlencoded", 415),
        (b'"' + b"x" * 65_536 + b'"', "application/json", 413),
    ],
)
async def test_a_body_that_cannot_be_read(
    client: AsyncClient, body: bytes, media_type: str, status: int
) -> None:
    answer = await client.post("/tasks", content=body, headers={"content-type": media_type})
    assert answer.status_code == status
    assert answer.json()["data"] is None
