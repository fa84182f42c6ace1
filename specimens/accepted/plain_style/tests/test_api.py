"""The API, without a database."""

from uuid import uuid4

import pytest
from psycopg import OperationalError

TASK = {"title": "a", "description": "b", "priority": 3, "type": "echo", "payload": {"c": 1}}


@pytest.fixture
def path(client):
    return f"/tasks/{client.post('/tasks', json=TASK).json()['data']['id']}"


def titles(client, query=""):
    return [task["title"] for task in client.get(f"/tasks{query}").json()["data"]]


def test_create(client):
    answer = client.post("/tasks", json=TASK)
    assert answer.status_code == 201
    assert answer.json()["data"].items() >= TASK.items()
    assert client.get(answer.headers["Location"]).json() == answer.json()


@pytest.mark.parametrize("body", [{"title": " "}, {"title": "x" * 201}, {"title": "x", "owner": "me"}])
def test_create_refuses(client, body):
    answer = client.post("/tasks", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] in body


def test_read_nothing(client):
    assert client.get(f"/tasks/{uuid4()}").status_code == 404
    assert client.get("/tasks/7").status_code == 400


def test_pages(client):
    for title in "abc":
        client.post("/tasks", json={"title": title})
    assert client.get("/tasks?limit=2").json()["meta"] == {"page": 1, "limit": 2, "total": 3}
    assert titles(client, "?limit=2") == ["a", "b"]
    assert titles(client, "?limit=2&page=2") == ["c"]


def test_filter(client, memory, path):
    failed = memory.add({**TASK, "title": "failed"}, status="failed")
    assert [task["id"] for task in client.get("/tasks?status=failed").json()["data"]] == [str(failed.id)]


def test_replace(client, path):
    before = client.get(path).json()["data"]
    replaced = client.put(path, json={"title": "new"}).json()["data"]
    assert (replaced["title"], replaced["description"], replaced["priority"]) == ("new", "", 0)
    assert replaced["updated_at"] > before["updated_at"]
    assert client.get(path).json()["data"] == replaced


def test_delete(client, path):
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


def test_health(client, memory):
    assert client.get("/health").status_code == 200
    memory.broken = OperationalError("gone")
    assert client.get("/health").status_code == 503


def test_request_id(client):
    assert client.get("/info", headers={"X-Request-ID": "mine"}).headers["X-Request-ID"] == "mine"
