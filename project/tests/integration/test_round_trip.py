"""A task's way through SQL and back."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg.rows import dict_row

TASK = {
    "title": "Robert'); DROP TABLE tasks;--",
    "description": "Pflanzen gießen 🌱\nauf dem Balkon",
    "priority": -100,
    "type": "echo",
    "payload": {"text": 'ü \\ "', "whole": 2**53, "part": 0.1, "truth": True, "nothing": None},
}


def test_a_task_comes_back_as_it_was_sent(client: TestClient) -> None:
    response = client.post("/tasks", json=TASK)
    assert response.status_code == 201
    assert response.json()["data"].items() >= TASK.items()
    assert client.get(response.headers["Location"]).json() == response.json()


def test_a_task_is_a_row(client: TestClient, database: psycopg.Connection) -> None:
    sent = client.post("/tasks", json=TASK, headers={"X-Request-ID": "order-66"}).json()["data"]
    [row] = database.cursor(row_factory=dict_row).execute("SELECT * FROM tasks").fetchall()
    assert row.items() >= TASK.items()
    assert (str(row["id"]), row["status"], row["request_id"]) == (sent["id"], "pending", "order-66")
    assert row["created_at"] == datetime.fromisoformat(sent["created_at"])


def test_what_the_worker_writes_is_read(client: TestClient, database: psycopg.Connection) -> None:
    created = client.post("/tasks", json={"title": "a task"}).json()["data"]
    database.execute("UPDATE tasks SET status = 'completed', result = '{\"sum\": 3}', attempts = 1")
    task = client.get(f"/tasks/{created['id']}").json()["data"]
    assert (task["status"], task["result"], task["attempts"]) == ("completed", {"sum": 3}, 1)


def test_a_replaced_task_is_replaced_in_the_table(client: TestClient, database: psycopg.Connection) -> None:
    created = client.post("/tasks", json=TASK).json()["data"]
    other = client.post("/tasks", json={"title": "other"}).json()["data"]
    replaced = client.put(f"/tasks/{created['id']}", json={"title": "new"}).json()["data"]
    assert replaced["updated_at"] > created["updated_at"]
    assert client.get(f"/tasks/{created['id']}").json()["data"] == replaced
    assert client.get(f"/tasks/{other['id']}").json()["data"] == other
    rows = database.execute("SELECT title, description, priority, type, payload FROM tasks ORDER BY title")
    assert rows.fetchall() == [("new", "", 0, "noop", {}), ("other", "", 0, "noop", {})]


def test_a_deleted_task_is_gone_from_the_table(client: TestClient, database: psycopg.Connection) -> None:
    created = client.post("/tasks", json=TASK).json()["data"]
    assert client.delete(f"/tasks/{created['id']}").status_code == 204
    assert database.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    assert client.delete(f"/tasks/{created['id']}").status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_task_that_never_was_is_404(client: TestClient, method: str) -> None:
    body: dict[str, Any] | None = TASK if method == "PUT" else None
    assert client.request(method, f"/tasks/{uuid4()}", json=body).status_code == 404
