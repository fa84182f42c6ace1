"""The routes, on a shelf."""

from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from flowforge import validation
from tests.shelf import Shelf

FULL = {
    "title": "Descale the kettle",
    "description": "with vinegar",
    "priority": 12,
    "type": "echo",
    "payload": {"litres": 1.7, "who": None, "soon": True},
}
EMPTY = validation.task_input({"title": "t"})


def on(shelf: Shelf, **fields: Any) -> str:
    """The path of a task that is put on the shelf."""
    return f"/tasks/{shelf.add(shelf, EMPTY, **fields)['id']}"


def data(client: FlaskClient, path: str) -> Any:
    return client.get(path).get_json()["data"]


def test_a_task_is_made(client: FlaskClient) -> None:
    answer = client.post("/tasks", json=FULL)
    assert answer.status_code == 201
    task = answer.get_json()["data"]
    assert task.items() >= FULL.items()
    assert answer.headers["Location"].endswith(f"/tasks/{task['id']}")
    assert data(client, f"/tasks/{task['id']}") == task


def test_defaults(client: FlaskClient) -> None:
    task = client.post("/tasks", json={"title": "t"}).get_json()["data"]
    assert (task["description"], task["priority"], task["type"], task["payload"]) == ("", 0, "noop", {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "   "),
        ("title", "t" * 201),
        ("title", 1),
        ("description", "d" * 2001),
        ("priority", -101),
        ("priority", 1.5),
        ("type", "no good"),
        ("payload", {"a b": 1}),
        ("attempts", 1),
        ("prio", 1),
    ],
)
def test_what_is_wrong_is_named(client: FlaskClient, shelf: Shelf, field: str, value: object) -> None:
    answer = client.post("/tasks", json={"title": "t", field: value})
    assert answer.status_code == 400
    blamed = {detail["field"].split(".")[0] for detail in answer.get_json()["error"]["details"]}
    assert blamed == {field}
    assert not shelf.rows


def test_200_characters_are_not_too_many(client: FlaskClient) -> None:
    assert client.post("/tasks", json={"title": "ä" * 200}).status_code == 201


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(b"{", "application/json", 400), (b"{}", "text/plain", 415), (b" " * 65_537, "application/json", 413)],
)
def test_bodies_that_cannot_be_read(client: FlaskClient, body: bytes, kind: str, status: int) -> None:
    assert client.post("/tasks", data=body, content_type=kind).status_code == status


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_missing_and_malformed(client: FlaskClient, method: str) -> None:
    body = {"title": "t"} if method == "PUT" else None
    answer = client.open(f"/tasks/{uuid4()}", method=method, json=body)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "not_found")
    assert client.open("/tasks/eleven", method=method, json=body).status_code == 400


def test_pages(client: FlaskClient, shelf: Shelf) -> None:
    for title in "abc":
        on(shelf, title=title)
    assert [task["title"] for task in data(client, "/tasks?limit=2")] == ["a", "b"]
    assert [task["title"] for task in data(client, "/tasks?limit=2&page=2")] == ["c"]
    assert client.get("/tasks?limit=2").get_json()["meta"] == {"page": 1, "limit": 2, "total": 3}


def test_filter(client: FlaskClient, shelf: Shelf) -> None:
    on(shelf)
    done = on(shelf, status="completed")
    assert [f"/tasks/{task['id']}" for task in data(client, "/tasks?status=completed")] == [done]
    assert client.get("/tasks?status=done").status_code == 400


def test_replace(client: FlaskClient, shelf: Shelf) -> None:
    path = on(shelf, **FULL)
    task = client.put(path, json={"title": "new"}).get_json()["data"]
    assert (task["title"], task["description"], task["priority"], task["payload"]) == ("new", "", 0, {})
    assert task["updated_at"] > task["created_at"]
    assert data(client, path) == task


def test_delete(client: FlaskClient, shelf: Shelf) -> None:
    path, other = on(shelf), on(shelf)
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get(other).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/tasks"])
def test_a_bad_day(client: FlaskClient, shelf: Shelf, path: str) -> None:
    assert client.get(path).status_code == 200
    shelf.closed = True
    answer = client.get(path)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "unavailable")


def test_a_surprise(client: FlaskClient, shelf: Shelf) -> None:
    shelf.fault = RuntimeError("swordfish")
    answer = client.get("/tasks")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (500, "internal")
    assert "swordfish" not in answer.text


def test_request_ids(client: FlaskClient) -> None:
    assert client.get("/info", headers={"X-Request-ID": "a.b"}).headers["X-Request-ID"] == "a.b"
    assert client.get("/info", headers={"X-Request-ID": "a b"}).headers["X-Request-ID"] != "a b"


def test_what_there_is_not(client: FlaskClient) -> None:
    assert client.get("/task").get_json()["error"]["code"] == "not_found"
    answer = client.patch("/tasks")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_description(client: FlaskClient) -> None:
    assert "/tasks" in client.get("/openapi.json").get_json()["paths"]
