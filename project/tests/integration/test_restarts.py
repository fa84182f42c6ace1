"""Tasks outlive the application: what it knows is in the database, and nowhere else."""

from collections.abc import Callable

from fastapi.testclient import TestClient


def test_a_new_application_finds_the_tasks_of_the_old_one(new_client: Callable[[], TestClient]) -> None:
    with new_client() as client:
        created = client.post("/tasks", json={"title": "Water the plants"}).json()["data"]
    with new_client() as client:
        response = client.get(f"/tasks/{created['id']}")
    assert response.status_code == 200
    assert response.json()["data"] == created


def test_two_applications_see_each_others_changes(new_client: Callable[[], TestClient]) -> None:
    with new_client() as one, new_client() as other:
        path = one.post("/tasks", json={"title": "old"}).headers["Location"]
        other.put(path, json={"title": "new"})
        assert one.get(path).json()["data"]["title"] == "new"
        other.delete(path)
        assert one.get(path).status_code == 404


def test_health_is_ok_from_the_start(new_client: Callable[[], TestClient]) -> None:
    with new_client() as client:
        response = client.get("/health")
    assert response.status_code == 200
    assert response.json()["data"] == {"status": "ok", "database": "up"}
