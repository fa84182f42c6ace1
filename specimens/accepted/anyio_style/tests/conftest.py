"""Two clients: one of an application on a dictionary, one of an application on PostgreSQL."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import structlog
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from store import DictStore

from api_service.app import create_app
from api_service.database import create_pool
from api_service.dependencies import task_repository
from api_service.repository import TaskRepository
from api_service.settings import ApiSettings

ALEMBIC = Path(__file__).parent.parent / "alembic.ini"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_log_lines() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture(scope="session")
def application() -> FastAPI:
    return create_app(ApiSettings(database_url="postgresql://nobody@localhost/nothing"))


@asynccontextmanager
async def client_of(
    application: FastAPI, repository: DictStore | TaskRepository
) -> AsyncIterator[AsyncClient]:
    application.dependency_overrides[task_repository] = lambda: repository
    async with AsyncClient(transport=ASGITransport(application), base_url="http://flowforge") as client:
        yield client


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture
async def client(application: FastAPI, store: DictStore, anyio_backend: str) -> AsyncIterator[AsyncClient]:
    async with client_of(application, store) as client:
        yield client


@pytest.fixture(scope="session")
def url() -> str:
    url = os.environ.get("TEST_DATABASE_URL")
    if not url:
        pytest.skip("TEST_DATABASE_URL is not set; it names the PostgreSQL database for tests")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", url)
        command.upgrade(Config(str(ALEMBIC)), "head")
    return url


@pytest.fixture
def rows(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM tasks")
        yield connection
        connection.execute("DELETE FROM tasks")


@pytest.fixture
async def stored(
    application: FastAPI, url: str, rows: psycopg.Connection, anyio_backend: str
) -> AsyncIterator[AsyncClient]:
    async with create_pool(url, 2) as pool, client_of(application, TaskRepository(pool)) as client:
        yield client
