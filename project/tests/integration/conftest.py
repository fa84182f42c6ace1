"""What the integration tests ask for by name."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from api_service.settings import ApiSettings
from tests.integration.database import a_database, migrate, require_no_tasks

POOL_MAX = "3"  # fewer than there are requests at once; a text, as in the environment


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A database at the newest revision, without a row in it. Without any PostgreSQL the test is skipped."""
    with a_database() as url:
        migrate(url)
        require_no_tasks(url)
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection]:
    """A look behind the application's back. All tasks are deleted when the test has ended."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
        connection.execute("DELETE FROM tasks")


@pytest.fixture
def client(database: psycopg.Connection, running_client: TestClient) -> TestClient:
    """A client of an application on that database."""
    return running_client


@pytest.fixture
def new_client(database: psycopg.Connection, database_url: str) -> Callable[[], TestClient]:
    """Makes a client of another application on that database, which runs in the client's `with` block."""
    return lambda: client_of(database_url)


@pytest.fixture(scope="session")
def running_client(database_url: str) -> Iterator[TestClient]:
    """Started once: an application keeps nothing but its pool, and starting it takes longer than a test."""
    with client_of(database_url) as client:
        yield client


def client_of(database_url: str) -> TestClient:
    """A client whose `with` block starts an application, pool and all, and stops it in the end."""
    return TestClient(
        create_app(ApiSettings(database_url=database_url, db_pool_max=POOL_MAX, environment="test"))
    )
