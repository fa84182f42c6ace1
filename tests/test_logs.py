"""Structured logs, read line by line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from labkit import logs, project, services
from labkit.services import Line


def line(text: str, stream: str = "stdout") -> Line:
    return Line(stream, text)


def test_a_long_line_is_whole_again(a_project: Callable[..., Path]) -> None:
    code = """
        import json, sys
        print(json.dumps({"error": "x" * 40_000}))
        print(json.dumps({"msg": "short"}))
        print("also here", file=sys.stderr)
    """
    the_project = project.load(a_project("api: python main.py", main=code))
    lines = logs.printed(services.run(the_project, "api", {}, within=10))
    assert [len(entry.text) for entry in logs.entries(lines)] == [40_013, 16]
    assert logs.strays(lines) == ["no JSON object, on stderr: also here"]


def test_objects_on_stdout_are_entries() -> None:
    found = logs.entries([line('{"msg": "a"}'), line("b"), line('{"msg": "c"}', "stderr"), line("[1]")])
    assert [entry.get("msg") for entry in found] == ["a"]
    assert found[0].get("level") is None


@pytest.mark.parametrize(
    "text", ["plain", "[]", '"text"', "{", '{"a": NaN}', '{"a": "line\tbreak"}', "[" * 100_000, "\ufffd"]
)
def test_anything_else_is_a_stray(text: str) -> None:
    [stray] = logs.strays([line(text)])
    assert stray.startswith("no JSON object, on stdout: ")


def test_an_object_on_stderr_is_a_stray() -> None:
    assert logs.strays([line("{}", "stderr")]) == ["on stderr: {}"]


def test_empty_lines_are_none() -> None:
    assert logs.strays([line(""), line("  ", "stderr"), line("{}")]) == []


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2026-11-21T16:03:10Z", 0),
        ("2026-11-21t16:03:10.123456789z", 0),
        ("2026-11-21 16:03:10+00:00", 0),
        ("2026-11-21T16:03:10.5+05:30", 5.5),
    ],
)
def test_moments_have_an_offset(text: str, hours: float) -> None:
    moment = logs.moment(text)
    assert moment is not None
    assert moment.utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text", ["2026-11-21T16:03:10", "21.11.2026", "2026-13-21T16:03:10Z", "20261121T160310Z", 1764, None, ""]
)
def test_what_is_no_moment(text: object) -> None:
    assert logs.moment(text) is None


def test_numbers() -> None:
    assert [logs.is_number(value) for value in (1, 0.5, True, "1", None)] == [True, True, False, False, False]


def test_at_least_error() -> None:
    levels = ("info", "warning", "error", "critical")
    entries = logs.entries(line(json.dumps({"level": level})) for level in levels)
    assert [entry.at_least_error for entry in entries] == [False, False, True, True]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Traceback (most recent call last):\n  File x\n    f()\nValueError: no\n", "ValueError: no"),
        (
            "before\nTraceback (most recent call last):\n  File x\n\na.Wrong: one\n  two\nthree",
            "a.Wrong: one",
        ),
        ("Traceback (most recent call last):\n  File x", ""),
        ("all is well", ""),
    ],
)
def test_a_traceback_ends_with_its_exception(text: str, line: str) -> None:
    assert logs.end_of_traceback(text) == line
