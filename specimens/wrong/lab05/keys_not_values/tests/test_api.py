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
    assert answer.json()["data"].keys() >= TASK.keys()
    assert client.get(answer.headers["Location"]).json()["data"].keys() >= TASK.keys()


@pytest.mark.parametrize("body", [{"title": " "}, {"title": "x" * 201}, {"title": "x", "owner": "me"}])
def test_create_refuses(client, body):
    answer = client.post("/tasks", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].keys() == {"code", "message", "details"}


def test_read_nothing(client):
    assert client.get(f"/tasks/{uuid4()}").status_code == 404
    assert client.get("/tasks/7").status_code == 400


def test_pages(client):
    for title in "abc":
        client.post("/tasks", json={"title": title})
    for query in ("", "?limit=2", "?limit=2&page=2", "?status=failed"):
        answer = client.get(f"/tasks{query}").json()
        assert answer.keys() == {"data", "error", "meta"}
        assert answer["meta"].keys() == {"page", "limit", "total"}
        assert all(task.keys() >= TASK.keys() for task in answer["data"])


def test_replace(client, path):
    replaced = client.put(path, json={"title": "new"}).json()["data"]
    assert replaced.keys() >= TASK.keys()
    assert "updated_at" in client.get(path).json()["data"]


def test_delete(client, path):
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


def test_health(client, memory):
    assert client.get("/health").status_code == 200
    memory.broken = OperationalError("gone")
    assert client.get("/health").status_code == 503


def test_request_id(client):
    assert "X-Request-ID" in client.get("/info", headers={"X-Request-ID": "mine"}).headers
