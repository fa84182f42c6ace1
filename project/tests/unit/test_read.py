"""GET /tasks/{id}: one task."""

from uuid import uuid4

from fastapi.testclient import TestClient

from tests.memory import MemoryTasks


def test_a_task_is_read_by_its_id(client: TestClient, tasks: MemoryTasks) -> None:
    tasks.add("another task")
    task = tasks.add("Water the plants", status="failed", error="no water", attempts=3)
    response = client.get(f"/tasks/{task.id}")
    assert response.status_code == 200
    assert response.json() == {"data": task.model_dump(mode="json"), "error": None}


def test_an_id_may_be_in_upper_case(client: TestClient, tasks: MemoryTasks) -> None:
    task = tasks.add()
    response = client.get(f"/tasks/{str(task.id).upper()}")
    assert response.status_code == 200
    assert response.json()["data"]["id"] == str(task.id)


def test_a_missing_task_is_404(client: TestClient) -> None:
    response = client.get(f"/tasks/{uuid4()}")
    assert response.status_code == 404
    assert response.json()["data"] is None
    assert response.json()["error"]["code"] == "not_found"
    assert response.json()["error"]["details"] == []
