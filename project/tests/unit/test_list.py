"""GET /tasks: pages of tasks, oldest first."""

import pytest
from fastapi.testclient import TestClient

from tests.memory import MemoryTasks


def titles(client: TestClient, query: str = "") -> list[str]:
    return [task["title"] for task in client.get(f"/tasks{query}").json()["data"]]


def test_no_tasks_are_an_empty_page(client: TestClient) -> None:
    response = client.get("/tasks")
    assert response.status_code == 200
    assert response.json() == {"data": [], "error": None, "meta": {"page": 1, "limit": 20, "total": 0}}


def test_the_oldest_task_comes_first(client: TestClient) -> None:
    for title in ("first", "second", "third"):
        client.post("/tasks", json={"title": title})
    assert titles(client) == ["first", "second", "third"]


def test_a_task_in_a_list_is_the_task_itself(client: TestClient, tasks: MemoryTasks) -> None:
    task = tasks.add("Water the plants", description="all of them", priority=3)
    assert client.get("/tasks").json()["data"] == [task.model_dump(mode="json")]


def test_a_page_has_twenty_tasks_unless_told_otherwise(client: TestClient, tasks: MemoryTasks) -> None:
    for number in range(21):
        tasks.add(f"task {number}")
    assert len(titles(client)) == 20
    assert titles(client, "?page=2") == ["task 20"]


@pytest.mark.parametrize(
    ("page", "expected"),
    [(1, ["task 0", "task 1"]), (2, ["task 2", "task 3"]), (3, ["task 4"]), (4, [])],
)
def test_pages_follow_one_another(
    client: TestClient, tasks: MemoryTasks, page: int, expected: list[str]
) -> None:
    for number in range(5):
        tasks.add(f"task {number}")
    response = client.get(f"/tasks?limit=2&page={page}")
    assert response.status_code == 200
    assert [task["title"] for task in response.json()["data"]] == expected
    assert response.json()["meta"] == {"page": page, "limit": 2, "total": 5}


@pytest.mark.parametrize("status", ["pending", "processing", "completed", "failed"])
def test_a_status_leaves_the_others_out(client: TestClient, tasks: MemoryTasks, status: str) -> None:
    for each in ("failed", "pending", "completed", "processing"):
        tasks.add(f"{each} 1", status=each)
        tasks.add(f"{each} 2", status=each)
    response = client.get(f"/tasks?status={status}&limit=1&page=2")
    assert [task["title"] for task in response.json()["data"]] == [f"{status} 2"]
    assert response.json()["meta"]["total"] == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=100001", "page"),
        ("page=two", "page"),
        ("page=", "page"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=2.0", "limit"),
        ("limit=%2B2", "limit"),
        ("status=done", "status"),
        ("status=PENDING", "status"),
    ],
)
def test_a_query_that_makes_no_sense_is_400(client: TestClient, query: str, field: str) -> None:
    response = client.get(f"/tasks?{query}")
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["error"]["details"]] == [field]


@pytest.mark.parametrize("query", ["page=100000", "limit=1", "limit=100", "colour=red"])
def test_a_query_that_is_taken(client: TestClient, query: str) -> None:
    assert client.get(f"/tasks?{query}").status_code == 200
