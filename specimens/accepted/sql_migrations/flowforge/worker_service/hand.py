"""What runs in a child process: reads an order a line, {"type", "payload"}, and answers {"result", "error"}.

When nothing more can be read the worker is gone, and so is this process.
"""

from __future__ import annotations

import json
import select
import signal
import sys
from contextlib import suppress
from typing import Any

LONGEST_SLEEP_S = 60


class TaskError(Exception):
    """Why a task has failed."""


def noop(_payload: dict[str, Any]) -> None:
    return None


def sleep(payload: dict[str, Any]) -> None:
    match payload.get("seconds"):
        case bool() | None | str():
            raise TaskError("`seconds` must be given, as a number")
        case seconds if not 0 <= seconds <= LONGEST_SLEEP_S:
            raise TaskError(f"`seconds` must be from 0 to {LONGEST_SLEEP_S}")
        case seconds:
            orders_or_end, _, _ = select.select([sys.stdin], [], [], seconds)
            if orders_or_end:  # and there are no orders while one is being carried out
                sys.exit()


def echo(payload: dict[str, Any]) -> dict[str, Any]:
    return payload


def fail(payload: dict[str, Any]) -> None:
    message = payload.get("message", "the task says that it fails")
    if not isinstance(message, str):
        raise TaskError("`message` must be a text")
    raise TaskError(message)


TYPES = {"noop": noop, "sleep": sleep, "echo": echo, "fail": fail}


def carry_out(order: dict[str, Any]) -> str:
    """The answer to an order, as JSON."""
    try:
        if order["type"] not in TYPES:
            raise TaskError(f"`{order['type']}` is not a type of task")
        if not isinstance(order["payload"], dict):
            raise TaskError("the payload is no object")
        result = TYPES[order["type"]](order["payload"])
        return json.dumps({"result": result, "error": None}, allow_nan=False)
    except TaskError as failure:
        return json.dumps({"result": None, "error": str(failure)})
    except Exception as error:
        return json.dumps({"result": None, "error": f"{type(error).__name__}: {error}"})


def main() -> None:
    # A Ctrl-C goes to the whole process group, but it is for the worker to decide what becomes of a task.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with suppress(BrokenPipeError):
        for line in sys.stdin:
            print(carry_out(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
