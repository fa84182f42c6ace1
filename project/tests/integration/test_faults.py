"""A bad day: what becomes of requests while the database fails, and afterwards."""

import psycopg
import pytest
from fastapi.testclient import TestClient

from api_service import database as pool
from api_service import repository
from api_service.app import create_app
from api_service.settings import ApiSettings

NOBODY_LISTENS = "postgresql://nobody@127.0.0.1:1/nothing"

KILL_ALL_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000)
    FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
"""


def test_killed_connections_are_replaced_unnoticed(client: TestClient, database: psycopg.Connection) -> None:
    path = client.post("/tasks", json={"title": "a task"}).headers["Location"]
    killed = database.execute(KILL_ALL_OTHERS).fetchall()
    assert (True,) in killed
    assert client.get("/health").status_code == 200
    assert client.get(path).status_code == 200


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("path", ["/health", "/tasks"])
def test_a_database_that_refuses_connections_is_503(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "POOL_TIMEOUT_S", 0.1)  # nothing is going to change while we wait
    with TestClient(create_app(ApiSettings(database_url=NOBODY_LISTENS))) as client:
        response = client.get(path)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "unavailable"


def test_a_database_that_hangs_is_503(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "PING", "SELECT pg_sleep(60)")
    monkeypatch.setattr(repository, "PING_TIMEOUT_S", 0.1)
    response = client.get("/health")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "unavailable"


def test_a_missing_table_is_500_and_shows_nothing(client: TestClient, database: psycopg.Connection) -> None:
    database.execute("ALTER TABLE tasks RENAME TO mislaid")
    try:
        response = client.get("/tasks")
    finally:
        database.execute("ALTER TABLE mislaid RENAME TO tasks")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert "relation" not in response.text
    assert client.get("/tasks").status_code == 200
