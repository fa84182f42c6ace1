"""PUT /tasks/{id}: everything that a client sets, at once."""

from datetime import datetime
from uuid import uuid4

from fastapi.testclient import TestClient

from tests.memory import MemoryTasks

NEW = {"title": "new", "description": "newer", "priority": 9, "type": "echo", "payload": {"a": 1}}


def test_the_new_values_are_answered(client: TestClient, tasks: MemoryTasks) -> None:
    task = tasks.add("old")
    response = client.put(f"/tasks/{task.id}", json=NEW)
    assert response.status_code == 200
    assert response.json()["data"].items() >= NEW.items()


def test_the_new_values_are_stored(client: TestClient, tasks: MemoryTasks) -> None:
    task = tasks.add("old")
    client.put(f"/tasks/{task.id}", json=NEW)
    assert client.get(f"/tasks/{task.id}").json()["data"].items() >= NEW.items()


def test_what_is_left_out_goes_back_to_its_default(client: TestClient, tasks: MemoryTasks) -> None:
    task = tasks.add("old", description="old", priority=5, type="echo", payload={"old": True})
    replaced = client.put(f"/tasks/{task.id}", json={"title": "new"}).json()["data"]
    assert replaced["description"] == ""
    assert replaced["priority"] == 0
    assert replaced["type"] == "noop"
    assert replaced["payload"] == {}
    assert client.get(f"/tasks/{task.id}").json()["data"] == replaced


def test_what_is_the_servers_stays(client: TestClient, tasks: MemoryTasks) -> None:
    task = tasks.add(status="completed", result={"a": 1}, attempts=2, assigned_worker="w", request_id="r")
    replaced = client.put(f"/tasks/{task.id}", json=NEW).json()["data"]
    before = task.model_dump(mode="json")
    for field in (
        "id",
        "status",
        "result",
        "error",
        "attempts",
        "assigned_worker",
        "request_id",
        "created_at",
    ):
        assert replaced[field] == before[field], field


def test_updated_at_moves_on(client: TestClient, tasks: MemoryTasks) -> None:
    task = tasks.add()
    first = client.put(f"/tasks/{task.id}", json=NEW).json()["data"]
    second = client.put(f"/tasks/{task.id}", json=NEW).json()["data"]
    assert task.updated_at < datetime.fromisoformat(first["updated_at"])
    assert datetime.fromisoformat(first["updated_at"]) < datetime.fromisoformat(second["updated_at"])


def test_other_tasks_stay_as_they_are(client: TestClient, tasks: MemoryTasks) -> None:
    task, other = tasks.add("old"), tasks.add("other")
    client.put(f"/tasks/{task.id}", json=NEW)
    assert client.get(f"/tasks/{other.id}").json()["data"] == other.model_dump(mode="json")


def test_a_missing_task_is_404_and_none_is_made(client: TestClient) -> None:
    response = client.put(f"/tasks/{uuid4()}", json=NEW)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
    assert client.get("/tasks").json()["meta"]["total"] == 0
