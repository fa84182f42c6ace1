"""A PostgreSQL for the integration tests: a database that is given, else one in a container, else none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config

ALEMBIC_INI = Path(__file__).parents[2] / "alembic.ini"
IMAGE = "postgres:18-alpine"

NO_DATABASE = "NOT TESTED, no PostgreSQL: set TEST_DATABASE_URL to an empty database, or start Docker"


@contextmanager
def a_database() -> Iterator[str]:
    """The URL of an empty database. DATABASE_URL is never looked at: that one holds somebody's tasks."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
    else:
        yield from database_in_a_container()


def database_in_a_container() -> Iterator[str]:
    # Not at the top: they take a second to import, and who has a database does not need them.
    from docker.errors import DockerException
    from testcontainers.community.postgres import PostgresContainer

    try:
        container = PostgresContainer(IMAGE, driver=None)
    except DockerException:
        pytest.skip(NO_DATABASE)
    with container:
        yield container.get_connection_url()


def migrate(url: str) -> None:
    """Brings the database to the newest revision, as `alembic upgrade head` does."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", url)
        command.upgrade(Config(ALEMBIC_INI), "head")


def require_no_tasks(url: str) -> None:
    """Tests delete all tasks, so a database that has some is not theirs."""
    with psycopg.connect(url) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM tasks").fetchall()
    if count:
        pytest.fail(
            f"TEST_DATABASE_URL names a database that holds {count} tasks, and the tests would clear it. "
            "Name another one, or empty its table of tasks yourself.",
            pytrace=False,
        )
