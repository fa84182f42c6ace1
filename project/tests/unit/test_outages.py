"""The store is away, or does what nobody expected: what clients are told, and what they are not."""

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from psycopg import OperationalError
from psycopg.errors import UndefinedTable

from tests.memory import MemoryTasks

TASK = "/tasks/0b6f6d3c-9d9c-4f6c-8f8f-0a1b2c3d4e5f"

every_request = pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/tasks"),
        ("POST", "/tasks"),
        ("GET", TASK),
        ("PUT", TASK),
        ("DELETE", TASK),
    ],
)


def send(client: TestClient, method: str, path: str) -> Response:
    return client.request(method, path, json={"title": "a task"} if method in ("POST", "PUT") else None)


@every_request
def test_a_database_that_is_away_is_503(
    client: TestClient, tasks: MemoryTasks, method: str, path: str
) -> None:
    tasks.fails_with = OperationalError("connection refused")
    response = send(client, method, path)
    assert response.status_code == 503
    assert response.json()["data"] is None
    assert response.json()["error"]["code"] == "unavailable"


@every_request
def test_what_nobody_expected_is_500(client: TestClient, tasks: MemoryTasks, method: str, path: str) -> None:
    tasks.fails_with = UndefinedTable('relation "tasks" does not exist')
    response = send(client, method, path)
    assert response.status_code == 500
    assert response.json()["data"] is None
    assert response.json()["error"]["code"] == "internal"


@pytest.mark.parametrize("error", [OperationalError, UndefinedTable, RuntimeError])
def test_nothing_of_the_inside_is_shown(
    client: TestClient, tasks: MemoryTasks, error: type[Exception]
) -> None:
    tasks.fails_with = error("password=secret")
    assert "secret" not in client.get("/tasks").text


@pytest.mark.parametrize("error", [OperationalError, UndefinedTable, RuntimeError])
def test_the_service_lives_on(client: TestClient, tasks: MemoryTasks, error: type[Exception]) -> None:
    tasks.fails_with = error("no room")
    assert client.get("/health").status_code in (500, 503)
    tasks.fails_with = None
    assert client.get("/health").status_code == 200


def test_a_clients_mistake_is_told_even_then(client: TestClient, tasks: MemoryTasks) -> None:
    tasks.fails_with = OperationalError("connection refused")
    assert client.post("/tasks", json={"title": ""}).status_code == 400
