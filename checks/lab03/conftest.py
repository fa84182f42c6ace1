"""Lab 03: each check has a stage of its own, and they are played beside each other, for they mostly wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import stage
from labkit.audit import Change
from labkit.plays import Gate, House, Plays, begun

HERE = Path(__file__).parent
GATE = Gate("lab03.tasks.completes_a_task", observation="first_task")
AT_A_TIME = 8
"""More than most machines have cores: what the checks do is wait."""


def _observe_first_task(house: House) -> list[Change]:
    with house.stage() as opened:
        return stage.completes_a_task(opened)


@pytest.fixture(scope="session", autouse=True)
def plays(request) -> Iterator[Plays]:
    """All checks of this lab that this run is about, begun."""
    with begun(request, HERE, GATE, {"first_task": _observe_first_task}, AT_A_TIME) as plays:
        yield plays


@pytest.fixture(name="stage")
def _stage() -> None:
    """A stage of the check's own. It is given to it where it is played, which is not here."""


@pytest.fixture
def common() -> None:
    """A stage that is shared with others, one after the other, with a worker at work. Given likewise."""


@pytest.fixture
def first_task(plays, request) -> list[Change]:
    """What happened to a task that was POSTed, and completed."""
    return plays.observed("first_task", request.node)


def pytest_pyfunc_call(pyfuncitem) -> bool | None:
    """In place of calling a function that has been played: tells how its play went."""
    return pyfuncitem.funcargs["plays"].tell(pyfuncitem) or None
