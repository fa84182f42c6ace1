"""What POST and PUT refuse, and how they say so."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.memory import MemoryTasks

LONGEST_TITLE = "t" * 200

REFUSED = {
    "a title that is missing": ({}, "title"),
    "a title that is empty": ({"title": ""}, "title"),
    "a title of spaces": ({"title": "   "}, "title"),
    "a title of a wide space": ({"title": "\u3000"}, "title"),
    "a title that is too long": ({"title": LONGEST_TITLE + "t"}, "title"),
    "a title that is a number": ({"title": 5}, "title"),
    "a title with U+0000": ({"title": "a\0b"}, "title"),
    "a description that is too long": ({"title": "a task", "description": "d" * 2001}, "description"),
    "a description that is null": ({"title": "a task", "description": None}, "description"),
    "a priority that is too low": ({"title": "a task", "priority": -101}, "priority"),
    "a priority that is too high": ({"title": "a task", "priority": 101}, "priority"),
    "a priority that is a text": ({"title": "a task", "priority": "3"}, "priority"),
    "a priority that is a boolean": ({"title": "a task", "priority": True}, "priority"),
    "a priority that is not whole": ({"title": "a task", "priority": 1.5}, "priority"),
    "a type in upper case": ({"title": "a task", "type": "Echo"}, "type"),
    "a type with a line break": ({"title": "a task", "type": "echo\n"}, "type"),
    "a type that is too long": ({"title": "a task", "type": "t" * 51}, "type"),
    "a payload that is a list": ({"title": "a task", "payload": []}, "payload"),
    "a payload that is too large": (
        {"title": "a task", "payload": {f"n{i}": i for i in range(51)}},
        "payload",
    ),
    "a payload in a payload": ({"title": "a task", "payload": {"more": {}}}, "payload.more"),
    "a text in a payload that is too long": ({"title": "a task", "payload": {"a": "b" * 1001}}, "payload.a"),
    "a number that no double can hold": ({"title": "a task", "payload": {"a": 10**350}}, "payload.a"),
    "a number of endless digits": ({"title": "a task", "payload": {"a": 10**4000}}, "payload.a"),
    "a name in a payload with a space": ({"title": "a task", "payload": {"a b": 1}}, "payload.a b"),
    "an unknown field": ({"title": "a task", "colour": "red"}, "colour"),
    "a field that is the server's": ({"title": "a task", "status": "completed"}, "status"),
}

TAKEN = {
    "the shortest title": {"title": "t"},
    "the longest title": {"title": LONGEST_TITLE},
    "a title with space around it": {"title": " a task "},
    "the longest title in emoji": {"title": "🌱" * 200},
    "the longest description": {"title": "a task", "description": "d" * 2000},
    "the lowest priority": {"title": "a task", "priority": -100},
    "the highest priority": {"title": "a task", "priority": 100},
    "a whole number that is written as a fraction": {"title": "a task", "priority": 3.0},
    "the longest type": {"title": "a task", "type": "t" * 50},
    "the largest payload": {"title": "a task", "payload": {f"n{i}": i for i in range(50)}},
    "the longest text in a payload": {"title": "a task", "payload": {"a": "b" * 1000}},
}


@pytest.mark.parametrize(("body", "field"), REFUSED.values(), ids=REFUSED)
def test_post_refuses(client: TestClient, body: dict[str, Any], field: str) -> None:
    response = client.post("/tasks", json=body)
    assert response.status_code == 400
    assert response.json()["data"] is None
    assert response.json()["error"]["code"] == "invalid_request"
    assert [detail["field"] for detail in response.json()["error"]["details"]] == [field]


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN)
def test_post_takes(client: TestClient, body: dict[str, Any]) -> None:
    response = client.post("/tasks", json=body)
    assert response.status_code == 201
    assert response.json()["data"].items() >= body.items()


def test_every_mistake_is_named_at_once(client: TestClient) -> None:
    response = client.post("/tasks", json={"title": "", "priority": 1000, "colour": "red"})
    assert response.status_code == 400
    details = response.json()["error"]["details"]
    assert {detail["field"] for detail in details} == {"title", "priority", "colour"}
    assert all(detail["message"] for detail in details)


def test_a_task_that_is_refused_is_not_stored(client: TestClient) -> None:
    client.post("/tasks", json={"title": ""})
    assert client.get("/tasks").json()["meta"]["total"] == 0


def test_put_refuses_what_post_refuses(client: TestClient, tasks: MemoryTasks) -> None:
    task = tasks.add("a task")
    response = client.put(f"/tasks/{task.id}", json={"title": " "})
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == "title"
    assert client.get(f"/tasks/{task.id}").json()["data"]["title"] == "a task"
