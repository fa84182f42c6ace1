"""Lab 05: the project's own tests are put on trial once, and every check is told what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labkit.evidence import Blocked, CheckFailed, shorten
from labkit.project import ProjectError
from labkit.sabotage.saboteurs import SABOTEURS
from labkit.suite.encounters import Notice
from labkit.suite.lane import told as what_went_wrong
from labkit.suite.trial import Trial, Twice

GATE = "lab05.suite.passes_twice"


@pytest.fixture(scope="session", autouse=True)
def trial(request) -> Iterator[Trial | ProjectError]:
    """The trial of this project's tests, begun; or why there can be none."""
    try:
        the_project = request.getfixturevalue("the_project")
        the_project.command("test")
    except ProjectError as error:
        yield error
        return
    wanted = {item.name.removeprefix("test_") for item in request.session.items}
    trial = Trial(the_project, request.getfixturevalue("server"), [bug for bug in SABOTEURS if bug in wanted])
    trial.begin()
    yield trial
    trial.end()


@pytest.fixture
def tried(trial) -> Callable[[], Twice]:
    """The suite as it was run twice. Blocks the check if it cannot be tried, or if nothing in it passes."""

    def ask() -> Twice:
        try:
            if isinstance(trial, ProjectError):
                raise CheckFailed(trial.expected, trial.saw)
            twice: Twice = trial.known("twice")
            if not twice.sound:
                raise CheckFailed("tests that pass", "not one of them does")
        except (CheckFailed, ProjectError) as error:
            raise Blocked(GATE, CheckFailed(error.expected, error.saw)) from None
        return twice

    return ask


@pytest.fixture
def told(trial, tried, request) -> Callable[[str], Any]:
    """What came out of one part of the trial. Who cannot be tried at all fails once, at the gate."""

    def ask(part: str) -> Any:
        if request.node.name != "test_passes_twice":
            tried()
        elif isinstance(trial, ProjectError):
            raise CheckFailed(trial.expected, trial.saw)
        return trial.told(part)

    return ask


@pytest.fixture
def noticed(trial, tried) -> Callable[[str], None]:
    """Fails unless the tests have noticed that saboteur."""

    def require(saboteur: str) -> None:
        twice = tried()
        for run in (twice.first, twice.second):
            if not run.green:
                cause = CheckFailed("a suite that passes without a saboteur", what_went_wrong(run))
                raise Blocked(GATE, cause)
        notice = trial.told(saboteur)
        if notice.by is None:
            raise CheckFailed("a test that fails now, and would not otherwise", _shrug(notice))

    return require


def _shrug(notice: Notice) -> str:
    """What the tests did with a saboteur that they did not notice."""
    if not notice.met:
        return "no test has anything to do with it: none gets an answer that it changes"
    who = f"{len(notice.met)} of the tests" if len(notice.met) > 1 else "one test"
    lines = [f"{who} met it, and " + ("none failed for sure:" if notice.unsure else "no test failed:")]
    lines += [f"  {test}" for test in notice.met[:4]]
    if notice.unsure:
        lines.append(f"{notice.unsure}, so one cannot know what it noticed")
    if notice.around:
        lines.append(f"an error in a fixture is no finding: {shorten(notice.around, 200)}")
    if notice.late:
        lines.append("the tests did not come to an end; a test that hangs has found nothing")
    return "\n".join(lines)
