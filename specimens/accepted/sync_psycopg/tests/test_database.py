"""The routes, on PostgreSQL."""

import psycopg
from flask.testing import FlaskClient


def test_a_task_is_a_row(real: FlaskClient, look: psycopg.Connection) -> None:
    body = {"title": "'); --", "priority": 100, "payload": {"text": 'ü"', "number": 0.1, "none": None}}
    task = real.post("/tasks", json=body).get_json()["data"]
    [row] = look.execute("SELECT id::text, title, priority, payload FROM tasks").fetchall()
    assert row == (task["id"], body["title"], body["priority"], body["payload"])
    assert real.get(f"/tasks/{task['id']}").get_json()["data"] == task


def test_one_row_and_no_other(real: FlaskClient, look: psycopg.Connection) -> None:
    paths = [real.post("/tasks", json={"title": title}).headers["Location"] for title in "abc"]
    assert real.put(paths[0], json={"title": "A"}).status_code == 200
    assert real.delete(paths[1]).status_code == 204
    assert look.execute("SELECT title FROM tasks ORDER BY created_at").fetchall() == [("A",), ("c",)]


def test_rows_from_elsewhere(real: FlaskClient, look: psycopg.Connection) -> None:
    look.execute("INSERT INTO tasks (title, status) SELECT n::text, 'failed' FROM generate_series(1, 21) n")
    answer = real.get("/tasks?status=failed&page=2").get_json()
    assert (len(answer["data"]), answer["meta"]["total"]) == (1, 21)


def test_killed_connections(real: FlaskClient, look: psycopg.Connection) -> None:
    assert real.get("/health").status_code == 200
    look.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
    )
    assert real.get("/tasks").status_code == 200
