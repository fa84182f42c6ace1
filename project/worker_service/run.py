"""One run of a task, from claim to outcome. Whatever goes wrong in it is the task's failure, not ours."""

import json
from typing import Any

import structlog

from worker_service.queue import Outcome, Task
from worker_service.task_types import TASK_TYPES, TaskError

log = structlog.get_logger()


async def run(task: Task) -> Outcome:
    """Runs the task and says how that ended; every line logged meanwhile names the task."""
    structlog.contextvars.bind_contextvars(**names(task))
    log.info("task claimed", attempt=task.attempts)
    result, error = await attempt(task)
    return Outcome(task, result, error, task.age_ms())


async def attempt(task: Task) -> tuple[str | None, str | None]:
    """The result as JSON, or the reason why there is none."""
    if task.type not in TASK_TYPES:
        return None, f"there is no task type {storable(task.type)!r}"
    try:
        result = await TASK_TYPES[task.type](task.payload)
    except TaskError as error:
        return None, storable(str(error))
    except (Exception, SystemExit) as error:
        log.exception("the task type raised")
        return None, storable(f"{type(error).__name__}: {error}")
    if result is None:
        return None, None
    try:
        return json.dumps(result, allow_nan=False), None
    except (TypeError, ValueError, RecursionError) as error:
        return None, storable(f"the result is no JSON: {error}")


def names(task: Task) -> dict[str, Any]:
    """How a log line names a task."""
    named = {"task_id": task.id, "task_title": task.title}
    return named if task.request_id is None else {**named, "request_id": task.request_id}


def storable(text: str) -> str:
    """The text without what PostgreSQL's text cannot hold: U+0000 and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
