"""Log lines for people with little room."""

import json

import pytest

from labkit.loglines import readable, telling


def test_what_matters_comes_first() -> None:
    line = json.dumps(
        {
            "timestamp": "2026-01-01T00:00:00Z",
            "service": "worker-service",
            "task_id": 7,
            "error": "the disk is full",
            "msg": "task failed",
            "level": "warning",
        }
    )
    assert readable(line) == "warning task failed: the disk is full · task_id=7"


def test_a_line_may_hold_little() -> None:
    assert readable('{"msg": "hello"}') == "hello"


@pytest.mark.parametrize(
    "line", ["", "plain text", "{", "{}", '{"level": "info"}', "[1]", '"msg"', "{" * 5000, '{"a": 1} tail']
)
def test_everything_else_stays_as_it_is(line: str) -> None:
    assert readable(line) == line


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["one", "two", "three"], ["two", "three"]),
        (["KeyError: 'a'", "two", "three"], ["KeyError: 'a'", "three"]),
        (["ERROR: one", "two", "FATAL: three", "four"], ["FATAL: three", "four"]),
        (["sqlalchemy.exc.ProgrammingError: (psycopg.errors.X) no", "[SQL:", "]"], None),
        ([], []),
    ],
)
def test_the_line_that_names_the_error_is_among_the_last(lines: list[str], told: list[str] | None) -> None:
    assert telling(lines, 2) == ([lines[0], lines[-1]] if told is None else told)
