"""POST /tasks: a new task."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient


def test_a_new_task_is_answered_with_201(client: TestClient) -> None:
    response = client.post("/tasks", json={"title": "Water the plants"})
    assert response.status_code == 201
    assert response.json()["data"]["title"] == "Water the plants"
    assert response.json()["error"] is None


def test_a_new_task_can_be_read_afterwards(client: TestClient) -> None:
    created = client.post("/tasks", json={"title": "Water the plants"}).json()["data"]
    response = client.get(f"/tasks/{created['id']}")
    assert response.status_code == 200
    assert response.json()["data"] == created


def test_location_leads_to_the_new_task(client: TestClient) -> None:
    response = client.post("/tasks", json={"title": "Water the plants"})
    assert response.headers.get("Location") == f"/tasks/{response.json()['data']['id']}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "Pflanzen gießen 🌱"),
        ("description", "The ones on the balcony, too."),
        ("priority", 7),
        ("type", "echo"),
        ("payload", {"text": "hello", "number": 2.5, "truth": True, "nothing": None}),
    ],
)
def test_what_is_sent_comes_back(client: TestClient, field: str, value: Any) -> None:
    created = client.post("/tasks", json={"title": "a task", field: value}).json()["data"]
    assert created[field] == value
    assert client.get(f"/tasks/{created['id']}").json()["data"][field] == value


def test_what_is_left_out_has_its_default(client: TestClient) -> None:
    created = client.post("/tasks", json={"title": "a task"}).json()["data"]
    assert created["description"] == ""
    assert created["priority"] == 0
    assert created["type"] == "noop"
    assert created["payload"] == {}


def test_the_rest_is_the_servers(client: TestClient) -> None:
    created = client.post("/tasks", json={"title": "a task"}).json()["data"]
    assert created["status"] == "pending"
    assert created["attempts"] == 0
    assert created["result"] is created["error"] is created["assigned_worker"] is None
    assert str(UUID(created["id"])) == created["id"]
    assert created["created_at"] == created["updated_at"]
    assert datetime.fromisoformat(created["created_at"]).utcoffset() == timedelta(0)


def test_the_same_request_twice_makes_two_tasks(client: TestClient) -> None:
    first, second = (client.post("/tasks", json={"title": "a task"}).json()["data"] for _ in range(2))
    assert first["id"] != second["id"]
