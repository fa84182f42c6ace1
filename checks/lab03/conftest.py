"""Lab 03: each check has a stage of its own, and they are played beside each other, for they mostly wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit import beside, evidence, stage
from labkit.beside import Ahead
from labkit.evidence import Blocked, CheckFailed
from labkit.project import ProjectError

HERE = Path(__file__).parent
GATE = "test_completes_a_task"
GATE_ID = "lab03.tasks.completes_a_task"
AT_A_TIME = 8
"""More than most machines have cores: what the checks do is wait."""


@pytest.fixture(scope="session", autouse=True)
def ahead(request) -> Iterator[Ahead]:
    """All checks of this lab that this run is about, begun."""
    ahead = beside.ahead(AT_A_TIME)
    play = _player(request, ahead)
    here = [item for item in request.session.items if item.path.parent == HERE]
    ahead.begin({item.name: play(item.function) for item in here})
    ahead.prepare(GATE, play(stage.completes_a_task))
    yield ahead
    ahead.end()


def _player(request, ahead) -> Callable[[Callable], Callable[[], None]]:
    """Makes a play of a check: the function to be called with a stage of its own."""
    try:
        the_project = request.getfixturevalue("the_project")
        template = request.getfixturevalue("migrated").name
    except ProjectError as error:
        cause = CheckFailed(error.expected, error.saw)
        return lambda function: lambda: _fail(cause)
    server = request.getfixturevalue("server")

    def player(function):
        def play():
            with stage.opened(the_project, server, ahead.over, template) as opened:
                function(opened)

        return play

    return player


def _fail(cause: CheckFailed) -> None:
    raise cause


@pytest.fixture(name="stage")
def _stage() -> None:
    """A check is given its stage where it is played, which is not here."""


def pytest_pyfunc_call(pyfuncitem) -> bool:
    """In place of calling the function: tells how its play went."""
    ahead = pyfuncitem.funcargs["ahead"]
    performance = ahead.performance(pyfuncitem.name)
    journal = evidence.journal()
    journal.actions.extend(performance.journal.actions)
    journal.logs.extend(performance.journal.logs)
    journal.violations.extend(performance.journal.violations)
    if isinstance(performance.error, CheckFailed | ProjectError) and pyfuncitem.name != GATE:
        _unless_nothing_works(ahead)
    if performance.error is not None:
        raise performance.error
    return True


def _unless_nothing_works(ahead: Ahead) -> None:
    """Blocks the check if the worker cannot do the basics; whether it can is found out only now."""
    cause = ahead.performance(GATE).error
    if isinstance(cause, CheckFailed | ProjectError):
        raise Blocked(GATE_ID, CheckFailed(cause.expected, cause.saw))
