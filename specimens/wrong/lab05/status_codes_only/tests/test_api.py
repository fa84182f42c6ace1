"""The API, without a database."""

from uuid import uuid4

import pytest
from psycopg import OperationalError

TASK = {"title": "a", "description": "b", "priority": 3, "type": "echo", "payload": {"c": 1}}


@pytest.fixture
def path(client):
    return f"/tasks/{client.post('/tasks', json=TASK).json()['data']['id']}"


def test_create(client):
    answer = client.post("/tasks", json=TASK)
    assert answer.status_code == 201


@pytest.mark.parametrize("body", [{"title": " "}, {"title": "x" * 201}, {"title": "x", "owner": "me"}])
def test_create_refuses(client, body):
    answer = client.post("/tasks", json=body)
    assert answer.status_code == 400


def test_read_nothing(client):
    assert client.get(f"/tasks/{uuid4()}").status_code == 404
    assert client.get("/tasks/7").status_code == 400


def test_pages(client):
    assert client.get("/tasks").status_code == 200
    assert client.get("/tasks?limit=2&page=2").status_code == 200
    assert client.get("/tasks?status=failed").status_code == 200
    assert client.get("/tasks?status=lost").status_code == 400


def test_replace(client, path):
    assert client.put(path, json={"title": "new"}).status_code == 200
    assert client.get(path).status_code == 200


def test_delete(client, path):
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


def test_health(client, memory):
    assert client.get("/health").status_code == 200
    memory.broken = OperationalError("gone")
    assert client.get("/health").status_code == 503


def test_request_id(client):
    assert client.get("/info", headers={"X-Request-ID": "mine"}).status_code == 200
