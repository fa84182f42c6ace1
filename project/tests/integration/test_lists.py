"""Lists: order, pages and filter are SQL's work, so they are tested on SQL."""

import psycopg
import pytest
from fastapi.testclient import TestClient

INSERT = "INSERT INTO tasks (title, status, created_at) VALUES (%s, %s, %s)"

# Inserted in another order than they were created in, so that nothing comes out right by accident.
ROWS = [
    ("fourth", "pending", "2026-01-04"),
    ("first", "pending", "2026-01-01"),
    ("third", "failed", "2026-01-03"),
    ("fifth", "pending", "2026-01-05"),
    ("second", "completed", "2026-01-02"),
]


@pytest.fixture(autouse=True)
def rows(database: psycopg.Connection) -> None:
    database.cursor().executemany(INSERT, ROWS)


@pytest.mark.parametrize(
    ("query", "expected", "total"),
    [
        ("", ["first", "second", "third", "fourth", "fifth"], 5),
        ("?limit=2", ["first", "second"], 5),
        ("?limit=2&page=3", ["fifth"], 5),
        ("?limit=2&page=4", [], 5),
        ("?status=pending", ["first", "fourth", "fifth"], 3),
        ("?status=pending&limit=2&page=2", ["fifth"], 3),
        ("?status=processing", [], 0),
    ],
)
def test_a_list(client: TestClient, query: str, expected: list[str], total: int) -> None:
    response = client.get(f"/tasks{query}")
    assert response.status_code == 200
    assert [task["title"] for task in response.json()["data"]] == expected
    assert response.json()["meta"]["total"] == total


def test_tasks_of_the_same_instant_are_ordered_by_id(
    client: TestClient, database: psycopg.Connection
) -> None:
    database.execute("UPDATE tasks SET created_at = '2026-01-01'")
    ids = [task["id"] for task in client.get("/tasks").json()["data"]]
    assert len(ids) == len(ROWS)
    assert ids == sorted(ids)
