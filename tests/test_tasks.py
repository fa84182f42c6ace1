"""What checks do with tasks before they come to their own question."""

from __future__ import annotations

from typing import Any

import pytest

from labkit import tasks
from labkit.evidence import CheckFailed

TASK = {"title": "a task", "description": "x" * 500, "priority": 1, "error": None}


@pytest.mark.parametrize(
    ("changed", "expected", "saw"),
    [
        ({"title": "another"}, "title 'a task'", "title 'another'"),
        ({"description": "x" * 499 + "y"}, "description 'xxx", "description 'xxx"),
        ({"colour": None}, "no colour", "colour None"),
    ],
)
def test_what_differs_is_shown_and_nothing_else(changed: dict[str, Any], expected: str, saw: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        tasks.expect_same({**TASK, **changed}, TASK)
    assert caught.value.expected.startswith(f"the task as it was: {expected}")
    assert caught.value.saw.startswith(saw)
    assert "priority" not in caught.value.saw


def test_a_field_that_is_gone_differs_from_one_that_is_null() -> None:
    now = {name: value for name, value in TASK.items() if name != "error"}
    with pytest.raises(CheckFailed, match="error None"):
        tasks.expect_same(now, TASK)


def test_equal_tasks_are_the_same() -> None:
    tasks.expect_same({**TASK, "priority": 1.0}, TASK)
