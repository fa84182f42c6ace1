"""What the worker makes of a task, without its queue: type and payload in, a result or a reason out."""

import asyncio
from typing import Any

import pytest

from worker_service.queue import Task
from worker_service.run import attempt
from worker_service.task_types import TASK_TYPES


def attempted(kind: str, payload: dict[str, Any]) -> tuple[str | None, str | None]:
    """The result as JSON and the error of one attempt."""
    task = Task(id="1", title="a task", type=kind, payload=payload, request_id=None, attempts=1)
    return asyncio.run(attempt(task))


@pytest.mark.parametrize(
    ("kind", "payload", "result"),
    [
        ("noop", {}, None),
        ("noop", {"whatever": 1}, None),
        ("sleep", {"seconds": 0}, None),
        ("echo", {}, "{}"),
        ("echo", {"a": [1.5, None, "ü"]}, '{"a": [1.5, null, "\\u00fc"]}'),
    ],
)
def test_a_task_that_is_done(kind: str, payload: dict[str, Any], result: str | None) -> None:
    assert attempted(kind, payload) == (result, None)


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        ("fail", {"message": "as you wish"}, "as you wish"),
        ("fail", {}, "this task was made to fail"),
        ("fail", {"message": 5}, "payload.message must be a string"),
        ("sleep", {}, "payload.seconds must be a number from 0 to 60"),
        ("sleep", {"seconds": "1"}, "payload.seconds must be a number from 0 to 60"),
        ("sleep", {"seconds": True}, "payload.seconds must be a number from 0 to 60"),
        ("sleep", {"seconds": 61}, "payload.seconds must be a number from 0 to 60"),
        ("sleep", {"seconds": -1}, "payload.seconds must be a number from 0 to 60"),
        ("dance", {}, "there is no task type 'dance'"),
    ],
)
def test_a_task_that_fails_says_why(kind: str, payload: dict[str, Any], reason: str) -> None:
    assert attempted(kind, payload) == (None, reason)


def test_a_type_that_crashes_fails_its_task_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(payload: dict[str, Any]) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setitem(TASK_TYPES, "crash", crash)
    assert attempted("crash", {}) == (None, "ZeroDivisionError: division by zero")
