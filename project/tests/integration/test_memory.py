"""The store in memory promises what PostgreSQL keeps. If it promised more, unit tests would prove nothing."""

from typing import Any

from fastapi.testclient import TestClient

from tests.application import new_application
from tests.memory import MemoryTasks

FULL = {"title": "first", "description": "d", "priority": 1, "type": "echo", "payload": {"a": 1.5}}


def story(client: TestClient) -> list[tuple[int, Any]]:
    """The answers that a client gets in the course of three tasks' lives."""
    answers = []

    def send(method: str, path: str, body: dict[str, Any] | None = None) -> str:
        response = client.request(method, path, json=body, headers={"X-Request-ID": "order-66"})
        answers.append((response.status_code, told(response.json()) if response.content else None))
        return response.headers.get("Location", "")

    first, second, _ = [send("POST", "/tasks", body) for body in (FULL, {"title": "2"}, {"title": "3"})]
    send("GET", first)
    send("GET", "/tasks?limit=2&page=2")
    send("PUT", first, {"title": "new"})
    send("GET", "/tasks")
    send("DELETE", second)
    for method, body in (("GET", None), ("PUT", {"title": "new"}), ("DELETE", None)):
        send(method, second, body)
    send("GET", "/tasks?status=pending")
    send("GET", "/tasks?status=failed")
    send("GET", "/tasks?page=100000&limit=100")
    send("GET", "/health")
    return answers


def told(value: Any) -> Any:
    """An answer without what differs from task to task: ids and times."""
    if isinstance(value, list):
        return [told(item) for item in value]
    if isinstance(value, dict):
        left_out = {"id", "created_at", "updated_at"}
        return {name: told(item) for name, item in value.items() if name not in left_out}
    return value


def test_a_client_cannot_tell_the_two_stores_apart(client: TestClient) -> None:
    assert story(client) == story(TestClient(new_application(MemoryTasks())))
