"""The API, without a database."""

from uuid import uuid4

import pytest
from psycopg import OperationalError

TASK = {"title": "a", "description": "b", "priority": 3, "type": "echo", "payload": {"c": 1}}


@pytest.fixture
def created(client):
    answer = client.post("/tasks", json=TASK, headers={"X-Request-ID": "mine"})
    assert answer.status_code == 201
    assert answer.headers["X-Request-ID"] == "mine"
    assert answer.json()["data"].items() >= TASK.items()
    assert client.get(answer.headers["Location"]).json() == answer.json()
    return answer.headers["Location"]


@pytest.fixture(params=[{"title": " "}, {"title": "x" * 201}, {"title": "x", "owner": "me"}])
def refused(client, request):
    answer = client.post("/tasks", json=request.param)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] in request.param
    return answer


@pytest.fixture
def missing(client):
    assert client.get(f"/tasks/{uuid4()}").status_code == 404
    assert client.get("/tasks/7").status_code == 400


@pytest.fixture
def listed(client, memory):
    tasks = [str(memory.add(TASK, status=status).id) for status in ("pending", "failed", "pending")]
    answers = [
        client.get(f"/tasks{query}").json() for query in ("?limit=2", "?limit=2&page=2", "?status=failed")
    ]
    assert [[task["id"] for task in answer["data"]] for answer in answers] == [
        tasks[:2],
        tasks[2:],
        tasks[1:2],
    ]
    assert answers[0]["meta"]["total"] == 3
    return answers


@pytest.fixture
def replaced(client, created):
    task = client.put(created, json={"title": "new"}).json()["data"]
    assert (task["title"], task["description"]) == ("new", "")
    assert task["updated_at"] > task["created_at"]
    assert client.get(created).json()["data"] == task
    return task


@pytest.fixture
def deleted(client, created):
    assert client.delete(created).status_code == 204
    assert client.delete(created).status_code == 404


@pytest.fixture
def outage(client, memory):
    memory.broken = OperationalError("gone")
    assert client.get("/health").status_code == 503


def test_create(created):
    assert created


def test_create_refuses(refused):
    assert refused is not None


def test_list(listed):
    assert listed


def test_replace(replaced):
    assert replaced


@pytest.mark.usefixtures("missing")
def test_missing(): ...


@pytest.mark.usefixtures("deleted")
def test_delete(): ...


@pytest.mark.usefixtures("outage")
def test_outage(): ...
