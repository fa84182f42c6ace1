"""DELETE /tasks/{id}: gone for good."""

from uuid import uuid4

from fastapi.testclient import TestClient

from tests.memory import MemoryTasks


def test_the_answer_is_204_without_a_body(client: TestClient, tasks: MemoryTasks) -> None:
    response = client.delete(f"/tasks/{tasks.add().id}")
    assert response.status_code == 204
    assert response.content == b""


def test_the_task_is_gone(client: TestClient, tasks: MemoryTasks) -> None:
    task, other = tasks.add(), tasks.add()
    client.delete(f"/tasks/{task.id}")
    assert client.get(f"/tasks/{task.id}").status_code == 404
    assert [left["id"] for left in client.get("/tasks").json()["data"]] == [str(other.id)]


def test_it_can_be_deleted_once(client: TestClient, tasks: MemoryTasks) -> None:
    task = tasks.add()
    client.delete(f"/tasks/{task.id}")
    assert client.delete(f"/tasks/{task.id}").status_code == 404


def test_a_missing_task_is_404(client: TestClient) -> None:
    response = client.delete(f"/tasks/{uuid4()}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
