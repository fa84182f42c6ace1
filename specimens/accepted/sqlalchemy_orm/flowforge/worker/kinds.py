"""What tasks do: a coroutine for each type."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Payload = dict[str, Any]
LONGEST_SLEEP_S = 60


class TaskFailed(Exception):
    """The task has not worked out; the text says why."""


@dataclass(frozen=True)
class Outcome:
    """What became of a run: `error` is None when it worked out."""

    result: Any = None
    error: str | None = None


async def perform(kind: str, payload: Any) -> Outcome:
    """Run a task. Whatever goes wrong is an outcome, never an exception."""
    try:
        if kind not in KINDS:
            raise TaskFailed(f"no worker knows the type {kind!r}")
        if not isinstance(payload, dict):
            raise TaskFailed("the payload is not an object")
        result = await KINDS[kind](payload)
        json.dumps(result, allow_nan=False)  # or the database would be the first to notice
    except TaskFailed as failure:
        return Outcome(error=str(failure))
    except Exception as error:
        return Outcome(error=f"{type(error).__name__}: {error}")
    return Outcome(result=result)


async def noop(_payload: Payload) -> None:
    return None


async def sleep(payload: Payload) -> None:
    seconds = payload.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TaskFailed("seconds is required and must be a number")
    if not 0 <= seconds <= LONGEST_SLEEP_S:
        raise TaskFailed(f"seconds must be between 0 and {LONGEST_SLEEP_S}")
    await asyncio.sleep(seconds)


async def echo(payload: Payload) -> Payload:
    return payload


async def fail(payload: Payload) -> None:
    message = payload.get("message", "the task was asked to fail")
    if not isinstance(message, str):
        raise TaskFailed("message must be a text")
    raise TaskFailed(message)


KINDS: dict[str, Callable[[Payload], Awaitable[Any]]] = {
    "noop": noop,
    "sleep": sleep,
    "echo": echo,
    "fail": fail,
}
