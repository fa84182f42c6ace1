"""The worker's side of the table: who gets which task, and what the API shows of it."""

import asyncio
from collections.abc import Collection

import psycopg
import pytest
from fastapi.testclient import TestClient

from worker_service.queue import Outcome, Queue, Turn
from worker_service.run import run


@pytest.fixture
def queue(database: psycopg.Connection, database_url: str) -> Queue:
    return Queue(database_url, worker="worker-1", lease_s=30, max_attempts=3)


def take_turn(queue: Queue, claim: int = 0, outcomes: Collection[Outcome] = ()) -> Turn:
    """One visit of the worker's to the database."""

    async def visit() -> Turn:
        try:
            answers = await queue.turn(alive=False, held=(), outcomes=outcomes, reap=False, claim=claim)
            return await answers.read()
        finally:
            await queue.close()

    return asyncio.run(visit())


def test_the_most_urgent_task_is_claimed_first_and_then_the_oldest(
    queue: Queue, database: psycopg.Connection
) -> None:
    database.execute("""
        INSERT INTO tasks (title, priority, created_at)
        VALUES ('later', 0, '2026-01-02'), ('urgent', 5, '2026-01-03'), ('sooner', 0, '2026-01-01')
    """)
    assert [task.title for task in take_turn(queue, claim=2).claimed] == ["urgent", "sooner"]
    assert [task.title for task in take_turn(queue, claim=2).claimed] == ["later"]
    assert take_turn(queue, claim=2).claimed == []


def test_a_row_that_somebody_has_locked_is_passed_over(queue: Queue, database: psycopg.Connection) -> None:
    database.execute("INSERT INTO tasks (title, priority) VALUES ('locked', 5), ('free', 0)")
    with database.transaction():
        database.execute("SELECT FROM tasks WHERE title = 'locked' FOR UPDATE")
        assert [task.title for task in take_turn(queue, claim=2).claimed] == ["free"]


def test_a_tasks_life_as_the_api_shows_it(queue: Queue, client: TestClient) -> None:
    body = {"title": "a task", "type": "echo", "payload": {"a": 1.5}}
    path = client.post("/tasks", json=body).headers["Location"]
    [claimed] = take_turn(queue, claim=1).claimed
    task = client.get(path).json()["data"]
    assert (task["status"], task["assigned_worker"], task["attempts"]) == ("processing", "worker-1", 1)

    take_turn(queue, outcomes=[asyncio.run(run(claimed))])
    task = client.get(path).json()["data"]
    assert (task["status"], task["result"], task["error"]) == ("completed", {"a": 1.5}, None)
