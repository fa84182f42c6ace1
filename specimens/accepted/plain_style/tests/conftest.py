"""Two clients: one of a service on tasks in memory, one of a service on PostgreSQL."""

import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
import structlog
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient

from api_service.app import create_app
from api_service.dependencies import task_repository
from api_service.schemas import Task
from api_service.settings import ApiSettings

REST = {"result": None, "error": None, "attempts": 0, "assigned_worker": None, "request_id": None}


class Memory:
    def __init__(self):
        self.tasks, self.broken, self.moments = {}, None, 0

    def now(self):
        self.moments += 1
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.moments)

    def add(self, wanted, **fields):
        now = self.now()
        given = {"id": uuid4(), "status": "pending", "created_at": now, "updated_at": now, **fields}
        task = Task.model_validate({**REST, **given, **wanted})
        self.tasks[task.id] = task
        return task

    async def create(self, wanted, request_id):
        return self.add(wanted.model_dump(), request_id=request_id)

    async def get(self, task_id):
        return self.tasks.get(task_id)

    async def page(self, status, limit, offset):
        if self.broken:
            raise self.broken
        tasks = [task for task in self.tasks.values() if status in (None, task.status)]
        return tasks[offset : offset + limit], len(tasks)

    async def replace(self, task_id, wanted):
        if task_id not in self.tasks:
            return None
        changes = {**wanted.model_dump(), "updated_at": self.now()}
        self.tasks[task_id] = self.tasks[task_id].model_copy(update=changes)
        return self.tasks[task_id]

    async def delete(self, task_id):
        return self.tasks.pop(task_id, None) is not None

    async def ping(self):
        if self.broken:
            raise self.broken


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


@pytest.fixture(scope="session")
def application():
    return create_app(ApiSettings(database_url="postgresql://nobody@localhost/nothing"))


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def client(application, memory):
    application.dependency_overrides[task_repository] = lambda: memory
    return TestClient(application)


@pytest.fixture(scope="session")
def url():
    if not (url := os.environ.get("TEST_DATABASE_URL")):
        pytest.skip("needs a database: set TEST_DATABASE_URL")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", url)
        command.upgrade(Config("alembic.ini"), "head")
    return url


@pytest.fixture
def rows(url):
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
        connection.execute("DELETE FROM tasks")


@pytest.fixture
def stored(url, rows):
    with TestClient(create_app(ApiSettings(database_url=url))) as client:
        yield client
