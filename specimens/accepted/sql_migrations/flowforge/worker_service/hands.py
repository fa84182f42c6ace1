"""The child processes that do the work. Whatever a task does to its process, the worker lives on."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flowforge import PROJECT

LONGEST_ANSWER = 2**27
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Outcome:
    """`error` is None if the task has worked out."""

    result: Any
    error: str | None


class Hands:
    """As many processes as have been needed at the same time; a free one is used again."""

    def __init__(self) -> None:
        self._free: list[Process] = []

    async def run(self, kind: str, payload: Any) -> Outcome:
        """Have a task run. Cancelled, it kills the process."""
        try:
            hand = await self._take()
        except OSError as error:
            return Outcome(None, f"no process could be started: {error}")
        try:
            outcome = await _order(hand, {"type": kind, "payload": payload})
        except BaseException:
            _kill(hand)
            raise
        self._free.append(hand)
        return outcome

    async def close(self) -> None:
        for hand in self._free:
            _kill(hand)
        for hand in self._free:
            await hand.wait()

    async def _take(self) -> Process:
        while self._free:
            if (hand := self._free.pop()).returncode is None:
                return hand
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "flowforge.worker_service.hand",
            cwd=PROJECT,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=LONGEST_ANSWER,
        )


async def _order(hand: Process, order: dict[str, Any]) -> Outcome:
    assert hand.stdin is not None
    assert hand.stdout is not None
    with suppress(ConnectionError):
        hand.stdin.write(json.dumps(order).encode() + b"\n")
        await hand.stdin.drain()
    if not (answer := await hand.stdout.readline()):
        return Outcome(None, "the process that ran the task has died")
    outcome = json.loads(answer)
    error = outcome["error"]
    return Outcome(outcome["result"], None if error is None else UNSTORABLE.sub("\ufffd", error))


def _kill(hand: Process) -> None:
    with suppress(ProcessLookupError):
        hand.kill()
