"""Lab 04: what takes long is observed once or played on a stage of its own, all of it at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import evidence
from labkit.episodes import elsewhere, lives, mistakes, seeded, story, unheard
from labkit.plays import Gate, Plays, begun

HERE = Path(__file__).parent
GATE = Gate("lab04.configuration.defaults_are_those_of_the_contract", observation="story")
AT_A_TIME = max(5, (os.cpu_count() or 1) + 2)
"""More than there are cores, since some only wait; not many more, since most start processes."""
OBSERVATIONS = {
    "story": story.observe,
    "lives": lives.observe,
    "seeded": seeded.observe,
    "malformed": mistakes.observe_malformed,
    "elsewhere": elsewhere.observe,
    "unheard": unheard.observe,
}


@pytest.fixture(scope="session", autouse=True)
def plays(request) -> Iterator[Plays]:
    """All that the checks of this run ask for, begun."""
    with begun(request, HERE, GATE, OBSERVATIONS, AT_A_TIME) as plays:
        yield plays


@pytest.fixture(scope="session", autouse=True)
def env_file(pytestconfig) -> str | None:
    """A word about a .env in the project, which its services may read: it fills in what checks leave out."""
    file = Path(pytestconfig.option.project) / ".env"
    if not file.exists():
        return None
    return (
        f"{file.parent.name}/.env is there. If your services read it, it fills in what a check leaves out; "
        "move it away while the checks run"
    )


@pytest.fixture(autouse=True)
def _word_about_the_env_file(env_file) -> None:
    if env_file:
        evidence.journal().advice.append(env_file)


@pytest.fixture(name="stage")
def _stage() -> None:
    """A check is given its stage where it is played, which is not here."""


@pytest.fixture(name="story")
def _story(plays, request) -> story.Story:
    """Both services from start to stop, and every line that they wrote."""
    return plays.observed("story", request.node)


@pytest.fixture(name="lives")
def _lives(plays, request) -> lives.Lives:
    """What the health check said of workers that lived, and then did not."""
    return plays.observed("lives", request.node)


@pytest.fixture(name="seeded")
def _seeded(plays, request) -> seeded.Seeded:
    """What the seeding script made."""
    return plays.observed("seeded", request.node)


@pytest.fixture
def malformed(plays, request) -> list[mistakes.Sifting]:
    """What both services said when everything was set to nonsense."""
    return plays.observed("malformed", request.node)


@pytest.fixture(name="unheard")
def _unheard(plays, request) -> unheard.Unheard:
    """What the load test said of an API that does not answer."""
    return plays.observed("unheard", request.node)


@pytest.fixture(name="elsewhere")
def _elsewhere(plays, request) -> elsewhere.Elsewhere:
    """Both services with other values than the defaults."""
    return plays.observed("elsewhere", request.node)


def pytest_pyfunc_call(pyfuncitem) -> bool | None:
    """In place of calling a function that has been played: tells how its play went."""
    return pyfuncitem.funcargs["plays"].tell(pyfuncitem) or None
