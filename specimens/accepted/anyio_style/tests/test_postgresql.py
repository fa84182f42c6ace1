"""The same application on a real database."""

import psycopg
import pytest
from httpx import AsyncClient

pytestmark = pytest.mark.anyio


async def test_a_task_is_a_row(stored: AsyncClient, rows: psycopg.Connection) -> None:
    sent = {"title": "x'; --", "priority": -100, "payload": {"n": 0.1, "s": "ü", "nothing": None}}
    task = (await stored.post("/tasks", json=sent)).json()["data"]
    [row] = rows.execute("SELECT id::text, title, priority, payload FROM tasks").fetchall()
    assert row == (task["id"], sent["title"], sent["priority"], sent["payload"])
    assert (await stored.get(f"/tasks/{task['id']}")).json()["data"] == task


async def test_one_row_is_replaced_and_one_deleted(stored: AsyncClient, rows: psycopg.Connection) -> None:
    paths = [(await stored.post("/tasks", json={"title": title})).headers["location"] for title in "abc"]
    await stored.put(paths[0], json={"title": "A"})
    await stored.delete(paths[1])
    assert rows.execute("SELECT title FROM tasks ORDER BY created_at").fetchall() == [("A",), ("c",)]


async def test_rows_that_no_api_has_made(stored: AsyncClient, rows: psycopg.Connection) -> None:
    rows.execute("INSERT INTO tasks (title, status) SELECT n::text, 'failed' FROM generate_series(1, 5) n")
    rows.execute("INSERT INTO tasks (title) VALUES ('waits')")
    answer = (await stored.get("/tasks?status=failed&limit=2&page=3")).json()
    assert len(answer["data"]) == 1
    assert answer["meta"]["total"] == 5


async def test_killed_connections_are_replaced(stored: AsyncClient, rows: psycopg.Connection) -> None:
    assert (await stored.get("/health")).status_code == 200
    rows.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
    )
    assert (await stored.get("/health")).status_code == 200
