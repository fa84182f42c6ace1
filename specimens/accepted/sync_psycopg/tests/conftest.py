"""What the tests are given: a shelf or a database, and a client of the application on it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient

from flowforge import api
from flowforge.pool import Pool
from flowforge.settings import Settings, read_settings
from tests.shelf import Shelf

PROJECT = Path(__file__).parent.parent


def settings(url: str = "postgresql://nobody@localhost/nothing") -> Settings:
    return read_settings({"DATABASE_URL": url, "ENVIRONMENT": "test"})


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)  # where create_app() finds its description


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def client(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an application whose tasks are on the shelf."""
    monkeypatch.setattr(api, "tasks", shelf)
    return api.create_app(settings(), shelf).test_client()


@pytest.fixture(scope="session")
def database_url() -> str:
    """A database with our schema."""
    url = os.environ.get("TEST_DATABASE_URL", "")
    if not url:
        pytest.skip("no PostgreSQL for tests: TEST_DATABASE_URL is not set")
    upgrade = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(upgrade, cwd=PROJECT, env={**os.environ, "DATABASE_URL": url}, check=True)
    return url


@pytest.fixture
def look(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection behind the application's back; the table is empty before and after."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM tasks")
        yield connection
        connection.execute("DELETE FROM tasks")


@pytest.fixture
def real(database_url: str, look: psycopg.Connection) -> Iterator[FlaskClient]:
    """A client of an application on PostgreSQL."""
    pool = Pool(database_url, 2, "flowforge-tests")
    yield api.create_app(settings(database_url), pool).test_client()
    pool.close()
