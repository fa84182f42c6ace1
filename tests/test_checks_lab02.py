"""What the checks of lab 02 stand on: which times they take for the same, and what they look at."""

import importlib.util
import sys
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace

import psycopg
import pytest

from labkit import postgres
from labkit.schema import Schema


@pytest.fixture(scope="module")
def persistence() -> ModuleType:
    """The file of checks, which is no package's module."""
    return loaded("test_persistence")


def loaded(name: str) -> ModuleType:
    path = Path(__file__).parent.parent / "checks" / "lab02" / f"{name}.py"
    found = importlib.util.spec_from_file_location(f"lab02_{name}", path)
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # where its dataclasses look for the names in their annotations
    found.loader.exec_module(module)
    return module


NOON = datetime(2026, 1, 1, 12, 0, 0, 123456)


@pytest.mark.parametrize("stored", [NOON, NOON.replace(tzinfo=UTC)])
@pytest.mark.parametrize(
    "answered",
    [
        "2026-01-01T12:00:00.123456Z",
        "2026-01-01T12:00:00.123Z",
        "2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00.12-00:00",
        "2026-01-01T13:00:00.123456+01:00",
    ],
)
def test_times_are_the_same_with_and_without_a_zone(
    persistence: ModuleType, answered: str, stored: datetime
) -> None:
    assert persistence._same(answered, stored)


@pytest.mark.parametrize("answered", ["2026-01-01T12:00:01.123456Z", "noon", "", None, 12, True, ["x"]])
def test_what_is_no_such_time_is_not_the_same(persistence: ModuleType, answered: object) -> None:
    assert not persistence._same(answered, NOON)


def test_the_top_is_read_whoever_has_cloned_the_migrated_database_before() -> None:
    """The first clone seals it against the project's role, and another lab's checks may have made that."""
    top: Future[Schema | None] = Future()
    with closing(postgres.open_server()) as server, server.database("template") as migrated:
        with psycopg.connect(migrated.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE tasks (id int)")
        with server.database(template=migrated.name):
            fixtures = {"_migrated_or_not": migrated, "server": server}
            loaded("conftest")._tell_the_top(SimpleNamespace(getfixturevalue=fixtures.__getitem__), top)
    newest = top.result(0)
    assert newest is not None
    assert newest["column tasks.id"] == "integer"
