"""The line that every request leaves in the log."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from psycopg import OperationalError

from tests.memory import MemoryTasks


def test_a_request_leaves_one_line(client: TestClient, log_lines: list[Any]) -> None:
    client.get("/tasks?status=failed", headers={"X-Request-ID": "order-66"})
    [line] = log_lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/tasks",
        "status": 200,
        "request_id": "order-66",
    }


def test_what_clients_do_wrong_is_no_error_of_ours(client: TestClient, log_lines: list[Any]) -> None:
    client.post("/tasks", json={})
    assert [(line["log_level"], line["status"]) for line in log_lines] == [("info", 400)]


@pytest.mark.parametrize(("error", "status"), [(OperationalError, 503), (RuntimeError, 500)])
def test_what_we_do_wrong_is_one_with_its_reason(
    client: TestClient, tasks: MemoryTasks, log_lines: list[Any], error: type[Exception], status: int
) -> None:
    tasks.fails_with = error("no room")
    client.get("/tasks")
    [line] = log_lines
    assert (line["log_level"], line["status"]) == ("error", status)
    assert line["error"] == f"{error.__name__}: no room"
