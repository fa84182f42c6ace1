"""What the types of tasks do. A new type is one more function in this file.

A type is a coroutine function from the payload to the result. It fails its task by raising: TaskError with a
reason for people, or whatever else goes wrong.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Payload = dict[str, Any]
Result = dict[str, Any] | None
TaskType = Callable[[Payload], Awaitable[Result]]

TASK_TYPES: dict[str, TaskType] = {}

MAX_SLEEP_S = 60


class TaskError(Exception):
    """The task cannot be done; its text is the reason that the client reads."""


def task_type(function: TaskType) -> TaskType:
    """Makes a function the task type of its name."""
    TASK_TYPES[function.__name__] = function
    return function


@task_type
async def noop(payload: Payload) -> Result:
    return None


@task_type
async def sleep(payload: Payload) -> Result:
    seconds = payload.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_SLEEP_S:
        raise TaskError(f"payload.seconds must be a number from 0 to {MAX_SLEEP_S}")
    await asyncio.sleep(seconds)
    return None


@task_type
async def echo(payload: Payload) -> Result:
    return payload


@task_type
async def fail(payload: Payload) -> Result:
    message = payload.get("message", "this task was made to fail")
    if not isinstance(message, str):
        raise TaskError("payload.message must be a string")
    raise TaskError(message)
