"""Lab 03: each check has a stage of its own, and they are played beside each other, for they mostly wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from labkit import beside, evidence, stage
from labkit.beside import Ahead
from labkit.evidence import Blocked, CheckFailed
from labkit.project import ProjectError
from labkit.stage import Stage

HERE = Path(__file__).parent
GATE = "test_completes_a_task"
GATE_ID = "lab03.tasks.completes_a_task"
AT_A_TIME = 8
"""More than most machines have cores: what the checks do is wait."""


@pytest.fixture(scope="session", autouse=True)
def ahead(request) -> Iterator[Ahead]:
    """All checks of this lab that this run is about, begun."""
    ahead = beside.ahead(AT_A_TIME)
    open_stage = _opener(request, ahead)
    here = [item for item in request.session.items if item.path.parent == HERE]
    alone = [item for item in here if "common" not in item.fixturenames]
    shared = Shared(open_stage)
    in_turn = {item.name: partial(shared.play, item.function) for item in here if item not in alone}
    ahead.begin_in_turn(in_turn, close=shared.close)
    ahead.begin({item.name: partial(_play, open_stage, item.function) for item in alone})
    ahead.prepare(GATE, partial(_play, open_stage, stage.completes_a_task))
    yield ahead
    ahead.end()


Opener = Callable[[], AbstractContextManager[Stage]]


def _opener(request, ahead) -> Opener:
    """Opens a stage; CheckFailed if the project's Procfile or migrations do not allow it."""
    try:
        the_project = request.getfixturevalue("the_project")
        template = request.getfixturevalue("migrated").name
    except ProjectError as error:
        return partial(_fail, CheckFailed(error.expected, error.saw))
    server = request.getfixturevalue("server")
    return lambda: stage.opened(the_project, server, ahead.over, template)


def _play(open_stage: Opener, function: Callable[[Stage], None]) -> None:
    with open_stage() as opened:
        function(opened)


class Shared:
    """A stage with a worker at work, for checks that follow one another; who fails leaves none behind."""

    def __init__(self, open_stage: Opener) -> None:
        self._open = open_stage
        self._stack = ExitStack()
        self._stage: Stage | None = None

    def play(self, function: Callable[[Stage], None]) -> None:
        self._stage = self._stage or self._stack.enter_context(self._open())
        self._stage.keep_worker(WORKER_CONCURRENCY="10", DB_POOL_MAX="5")
        try:
            function(self._stage)
        except BaseException:
            self._stage.clear()
            raise

    def close(self) -> None:
        self._stack.close()


def _fail(cause: CheckFailed) -> NoReturn:
    raise cause


@pytest.fixture(name="stage")
def _stage() -> None:
    """A stage of the check's own. It is given to it where it is played, which is not here."""


@pytest.fixture
def common() -> None:
    """A stage that is shared with others, one after the other, with a worker at work. Given likewise."""


def pytest_pyfunc_call(pyfuncitem) -> bool:
    """In place of calling the function: tells how its play went."""
    ahead = pyfuncitem.funcargs["ahead"]
    performance = ahead.performance(pyfuncitem.name)
    journal = evidence.journal()
    journal.actions.extend(performance.journal.actions)
    journal.logs.extend(performance.journal.logs)
    journal.violations.extend(performance.journal.violations)
    journal.waits.extend(performance.journal.waits)
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
