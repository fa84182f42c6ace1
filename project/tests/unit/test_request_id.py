"""X-Request-ID: the client's own, or one that we make."""

from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from tests.memory import MemoryTasks


@pytest.mark.parametrize("request_id", ["order-66", "a.b_c-D", "7", "x" * 128])
def test_a_suitable_id_comes_back(client: TestClient, request_id: str) -> None:
    response = client.get("/info", headers={"X-Request-ID": request_id})
    assert response.headers.get("X-Request-ID") == request_id


@pytest.mark.parametrize("request_id", ["", "two words", "x" * 129, "a/b", "é".encode()])
def test_an_unsuitable_id_is_replaced(client: TestClient, request_id: str | bytes) -> None:
    response = client.get("/info", headers={"X-Request-ID": request_id})
    assert UUID(response.headers["X-Request-ID"]).version == 4


def test_ids_that_we_make_differ(client: TestClient) -> None:
    first, second = (client.get("/info").headers["X-Request-ID"] for _ in range(2))
    assert first != second


def test_errors_have_one_as_well(client: TestClient, tasks: MemoryTasks) -> None:
    headers = {"X-Request-ID": "order-66"}
    assert client.get("/nothing", headers=headers).headers.get("X-Request-ID") == "order-66"
    assert client.get(f"/tasks/{uuid4()}", headers=headers).headers.get("X-Request-ID") == "order-66"
    tasks.fails_with = RuntimeError("no room")
    assert client.get("/tasks", headers=headers).headers.get("X-Request-ID") == "order-66"


def test_a_task_remembers_the_request_that_created_it(client: TestClient) -> None:
    response = client.post("/tasks", json={"title": "a task"}, headers={"X-Request-ID": "order-66"})
    assert response.json()["data"]["request_id"] == "order-66"
