"""The API, without a database."""

from uuid import uuid4

import pytest

TASK = {"title": "a", "description": "b", "priority": 3, "type": "echo", "payload": {"c": 1}}


def check(answer):
    assert answer is not None
    assert str(answer.status_code)
    assert True


def test_create(client):
    check(client.post("/tasks", json=TASK))


@pytest.mark.parametrize("body", [{"title": " "}, {"title": "x" * 201}, {"title": "x", "owner": "me"}])
def test_create_refuses(client, body):
    check(client.post("/tasks", json=body))


def test_read_nothing(client):
    check(client.get(f"/tasks/{uuid4()}"))
    check(client.get("/tasks/7"))


def test_lists(client, memory):
    tasks = [memory.add(TASK, status=status) for status in ("pending", "failed", "pending")]
    check(client.get("/tasks?limit=2"))
    check(client.get("/tasks?limit=2&page=2"))
    check(client.get("/tasks?status=failed"))
    check(client.get(f"/tasks/{tasks[0].id}"))


def test_replace(client, memory):
    task = memory.add(TASK)
    check(client.put(f"/tasks/{task.id}", json={"title": "new"}))
    check(client.get(f"/tasks/{task.id}"))


def test_delete(client, memory):
    task = memory.add(TASK)
    check(client.delete(f"/tasks/{task.id}"))
    check(client.get(f"/tasks/{task.id}"))
    check(client.delete(f"/tasks/{task.id}"))


def test_service(client):
    check(client.get("/health"))
    check(client.get("/info", headers={"X-Request-ID": "mine"}))
