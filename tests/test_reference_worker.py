"""The reference's worker, where no client can get at it: odd task types, a claim at the wrong moment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PROJECT = Path(__file__).parent.parent / "project"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module worker_service.run, with the task type `odd` to be set."""
    monkeypatch.syspath_prepend(str(PROJECT))
    from worker_service import run

    yield run
    run.TASK_TYPES.pop("odd", None)


def outcome(run: Any, do: Any, payload: dict[str, Any] | None = None) -> tuple[Any, str | None]:
    """The result and the error of a run of the task type `do`."""
    from worker_service.queue import Task

    run.TASK_TYPES["odd"] = do
    ended = asyncio.run(run.run(Task("1", "a task", "odd", payload or {}, None, 1)))
    return ended.result if ended.result is None else json.loads(ended.result), ended.error


async def raises(payload: dict[str, Any]) -> None:
    raise KeyError("colour")


async def leaves(payload: dict[str, Any]) -> None:
    raise SystemExit(3)


async def hangs(payload: dict[str, Any]) -> None:
    await asyncio.Event().wait()


async def returns_a_set(payload: dict[str, Any]) -> Any:
    return {"a": {1, 2}}


async def returns_not_a_number(payload: dict[str, Any]) -> Any:
    return {"a": float("nan")}


async def returns_itself(payload: dict[str, Any]) -> Any:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    return endless


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (raises, "KeyError: 'colour'"),
        (leaves, "SystemExit: 3"),
        (returns_a_set, "the result is no JSON"),
        (returns_not_a_number, "the result is no JSON"),
        (returns_itself, "the result is no JSON"),
    ],
)
def test_a_type_that_misbehaves_fails_its_task(run: Any, do: Any, reason: str) -> None:
    result, error = outcome(run, do)
    assert result is None
    assert error is not None
    assert error.startswith(reason)


def test_an_error_can_be_stored_whatever_it_holds(run: Any) -> None:
    async def says_odd_things(payload: dict[str, Any]) -> None:
        raise ValueError("nul \0 and half a pair \ud83d")

    _, error = outcome(run, says_odd_things)
    assert error == "ValueError: nul \ufffd and half a pair ?"


def test_being_stopped_from_outside_is_no_failure_of_the_task(run: Any) -> None:
    from worker_service.queue import Task

    run.TASK_TYPES["odd"] = hangs

    async def stop() -> None:
        running = asyncio.create_task(run.run(Task("1", "a task", "odd", {}, None, 1)))
        await asyncio.sleep(0)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(stop())


class OneTask:
    """A queue in memory that holds one task of the type `odd`, until `stop` is called."""

    def __init__(self) -> None:
        self.waiting = 1
        self.outcomes: list[Any] = []
        self.stop: Callable[[], None] = lambda: None

    async def turn(self, alive: bool, held: Any, outcomes: Sequence[Any], reap: bool, claim: int) -> Any:
        from worker_service.queue import Task, Turn

        claimed = [Task("1", "a task", "odd", {}, None, 1)] if claim and self.waiting else []
        self.waiting -= len(claimed)
        self.outcomes += outcomes
        if outcomes:
            self.stop()
        turn = Turn(
            lost=(),
            written=[(each.task.id, each.task.attempts) for each in outcomes],
            reaped=(),
            claimed=claimed,
        )

        class Answers:
            async def read(self) -> Turn:
                return turn

        return Answers()


async def does_not_listen(payload: dict[str, Any]) -> None:
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


@pytest.mark.parametrize("do", [hangs, does_not_listen])
def test_a_task_that_never_ends_is_broken_off(run: Any, monkeypatch: pytest.MonkeyPatch, do: Any) -> None:
    from worker_service import worker

    monkeypatch.setattr(worker, "TIME_LIMIT_S", 0.05)
    run.TASK_TYPES["odd"] = do
    queue = OneTask()

    async def work() -> None:
        settings = SimpleNamespace(worker_concurrency=1, worker_poll_interval=9, worker_lease=0.03)
        one: Any = worker.Worker(queue, settings)  # type: ignore[arg-type]
        queue.stop = one.stop
        async with asyncio.timeout(20):
            await one.work()

    asyncio.run(work())
    (outcome,) = queue.outcomes
    assert (outcome.result, outcome.error) == (None, "not done after 0.05 s")
    assert outcome.duration_ms >= 50


class SlowToAnswer(OneTask):
    """The same, but the claim's answer comes when `arrives` is set. `released` is what was given back."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.arrives = asyncio.Event(), asyncio.Event()
        self.released: list[str] = []

    async def turn(self, alive: bool, held: Any, outcomes: Sequence[Any], reap: bool, claim: int) -> Any:
        answers = await super().turn(alive, held, outcomes, reap, claim)
        self.asked.set()
        await self.arrives.wait()
        return answers

    async def release(self, held: Any) -> list[str]:
        self.released += [task.id for task in held]
        return self.released


def test_what_was_claimed_too_late_is_given_back(run: Any) -> None:
    from worker_service import worker

    run.TASK_TYPES["odd"] = hangs

    async def serve() -> list[str]:
        queue = SlowToAnswer()
        settings = SimpleNamespace(worker_concurrency=1, worker_poll_interval=9, worker_lease=30)
        one: Any = worker.Worker(queue, settings)  # type: ignore[arg-type]
        working = asyncio.create_task(one.work())
        await queue.asked.wait()
        one.stop()
        giving_back = asyncio.create_task(one.give_back(working))
        await asyncio.sleep(0)
        queue.arrives.set()
        async with asyncio.timeout(20):
            await giving_back
        return queue.released

    assert asyncio.run(serve()) == ["1"]
