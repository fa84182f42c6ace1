"""A lab whose checks are played beside each other: what its conftest needs.

A check that asks for `stage` is played in a thread, on a stage of its own, and told when its turn comes.
Those that ask for `common` share a stage with a worker at work, one after the other. What several checks
judge is observed once, in such a thread too. And when the project cannot do the basics, one check says so:
the gate, which blocks all others that fail.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from labkit import beside, evidence, stage
from labkit.beside import Ahead, Performance
from labkit.evidence import Blocked, CheckFailed
from labkit.postgres import Server
from labkit.project import Project, ProjectError
from labkit.stage import Stage


@dataclass(frozen=True)
class House:
    """What every play needs: the project, a PostgreSQL, and the name of a migrated database to be cloned.

    `over` is set when the run is broken off."""

    project: Project
    server: Server
    template: str
    over: threading.Event

    def stage(self) -> AbstractContextManager[Stage]:
        """A stage for the length of a `with` block."""
        return stage.opened(self.project, self.server, self.over, self.template)


Observe = Callable[[House], Any]
"""Observes something once and returns the record of it."""


@dataclass(frozen=True)
class Gate:
    """What fails, once for all, when the project cannot do the basics: the check's id, and the observation
    that fails then."""

    id: str
    observation: str

    @property
    def test(self) -> str:
        """The name of the check's function."""
        return f"test_{self.id.rpartition('.')[2]}"


@dataclass
class Plays:
    """The plays of one lab. `house` may be the reason why there can be none."""

    house: House | ProjectError
    ahead: Ahead
    gate: Gate
    observations: Mapping[str, Observe]
    _records: dict[str, Any] = field(default_factory=dict)

    def begin(self, session: pytest.Session, folder: Path) -> None:
        """Begin all that the checks in that folder ask for; observations first, for they take longest."""
        items = [item for item in session.items if item.path.parent == folder]
        asked = {name for item in items for name in getattr(item, "fixturenames", ())}
        for name, observe in self.observations.items():
            begin = self._begin if name in asked else self.ahead.prepare
            begin(name, self._observation(name, observe))
        functions = [item for item in items if isinstance(item, pytest.Function)]
        common = _Common(self._opened)
        in_turn = {item.name: common.play(item.function) for item in functions if _asks(item, "common")}
        self.ahead.begin_in_turn(in_turn, close=common.close)
        for item in functions:
            if _asks(item, "stage"):
                self._begin(item.name, self._play(item.function))

    def _begin(self, name: str, play: Callable[[], None]) -> None:
        self.ahead.begin({name: play})

    def tell(self, item: pytest.Function) -> bool:
        """Tell how the play of a check went, as if it had just happened; False if it is none."""
        if not (_asks(item, "stage") or _asks(item, "common")):
            return False
        performance = self.ahead.performance(item.name)
        evidence.journal().take_over(performance.journal)
        self._raise(performance, item)
        return True

    def observed(self, name: str, item: pytest.Item) -> Any:
        """The record of an observation, for a check; what was done then becomes that check's evidence."""
        performance = self.ahead.performance(name)
        evidence.journal().take_over(performance.journal)
        self._raise(performance, item)
        return self._records[name]

    def _raise(self, performance: Performance, item: pytest.Item) -> None:
        """Raise the error of a performance; as a block if the project cannot do the basics."""
        error = performance.error
        if isinstance(error, CheckFailed | ProjectError) and item.name != self.gate.test:
            cause = self.ahead.performance(self.gate.observation).error
            if isinstance(cause, CheckFailed | ProjectError):
                raise Blocked(self.gate.id, CheckFailed(cause.expected, cause.saw))
        if error is not None:
            raise error

    def _observation(self, name: str, observe: Observe) -> Callable[[], None]:
        def play() -> None:
            self._records[name] = observe(self._opened())

        return play

    def _play(self, function: Callable[..., Any]) -> Callable[[], None]:
        def play() -> None:
            with self._opened().stage() as opened:
                function(opened)

        return play

    def _opened(self) -> House:
        if isinstance(self.house, ProjectError):
            raise CheckFailed(self.house.expected, self.house.saw)
        return self.house


@contextmanager
def begun(
    request: pytest.FixtureRequest,
    folder: Path,
    gate: Gate,
    observations: Mapping[str, Observe],
    at_a_time: int,
) -> Iterator[Plays]:
    """The plays that this run's checks in that folder ask for, begun, so many at a time; those that nobody
    waits for any more are broken off after the block."""
    ahead = beside.ahead(at_a_time)
    house: House | ProjectError
    try:
        project = request.getfixturevalue("the_project")
        template = request.getfixturevalue("migrated").name
        house = House(project, request.getfixturevalue("server"), template, ahead.over)
    except ProjectError as error:
        house = error
    plays = Plays(house, ahead, gate, observations)
    plays.begin(request.session, folder)
    try:
        yield plays
    finally:
        ahead.end()


def _asks(item: pytest.Function, fixture: str) -> bool:
    return fixture in item.fixturenames


class _Common:
    """A stage with a worker at work, for checks that follow one another; who fails leaves none behind."""

    def __init__(self, house: Callable[[], House]) -> None:
        self._house = house
        self._stack = ExitStack()
        self._stage: Stage | None = None

    def play(self, function: Callable[[Stage], None]) -> Callable[[], None]:
        def play() -> None:
            opened = self._stage = self._stage or self._stack.enter_context(self._house().stage())
            opened.keep_worker(WORKER_CONCURRENCY="10", DB_POOL_MAX="5")
            try:
                function(opened)
            except BaseException:
                opened.clear()
                raise

        return play

    def close(self) -> None:
        self._stack.close()
