"""What the checks of lab 02 take for the same: a time is a time, however it is stored and written."""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def persistence() -> ModuleType:
    """The file of checks, which is no package's module."""
    path = Path(__file__).parent.parent / "checks" / "lab02" / "test_persistence.py"
    found = importlib.util.spec_from_file_location("lab02_persistence", path)
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
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
