"""Checks that are played beside each other, seen from a course of its own."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import pytest

Verdicts = Callable[..., dict[str, tuple[str, str, str]]]
"""Runs the checks; outcome, what was seen and what was done, by the check's name."""

CONFTEST = """
from pathlib import Path
import pytest
from labkit import beside
from labkit.evidence import CheckFailed, did
from labkit.plays import Gate, Plays
from labkit.project import ProjectError

def works(house):
    did("observe whether anything works")
    if Path("broken").exists():
        raise CheckFailed("it to work", "it does not")
    return {"answer": 42}

def fails(house):
    raise CheckFailed("this", "that")

class Stage:
    def __init__(self):
        self.lines, self.workers = open(__file__), 0

    def __enter__(self):
        did("open a stage")
        return self

    def __exit__(self, *_):
        self.lines.close()

    def readline(self):
        return self.lines.readline()

    def keep_worker(self, **settings):
        self.workers += 1
        did(f"use it {self.workers}×")

    def clear(self):
        did("clear it")

class House:
    def stage(self):
        return Stage()

@pytest.fixture(scope="session", autouse=True)
def plays(request):
    ahead = beside.ahead(2)
    house = ProjectError("a Procfile", "none") if Path("no_project").exists() else House()
    plays = Plays(house, ahead, Gate("lab01.one.works", "basics"), {"basics": works, "others": fails})
    plays.begin(request.session, Path(__file__).parent)
    yield plays
    ahead.end()

@pytest.fixture
def stage(): ...

@pytest.fixture
def common(): ...

@pytest.fixture
def basics(plays, request):
    return plays.observed("basics", request.node)

@pytest.fixture
def others(plays, request):
    return plays.observed("others", request.node)

def pytest_pyfunc_call(pyfuncitem):
    return pyfuncitem.funcargs["plays"].tell(pyfuncitem) or None
"""

CHECKS = '''
@check(points=1, read=HANDOUT)
def test_works(basics):
    """It works.

    Does it?
    """
    assert basics["answer"] == 42

@check(points=1, read=HANDOUT)
def test_played(stage):
    """Played.

    Is it?
    """
    did("play it")
    expect(stage.readline() == "", "an empty line", "another")

@check(points=1, read=HANDOUT)
def test_shared(common):
    """Shared.

    Is it?
    """
    expect(common.readline() == "", "an empty line", "another")

@check(points=1, read=HANDOUT)
def test_shared_again(common):
    """Shared again.

    Is it?
    """
    expect(common.lines.closed, "a closed file", "an open one")

@check(points=1, read=HANDOUT)
def test_judged(others):
    """Judged.

    Is it?
    """
'''


@pytest.fixture
def verdicts(course: Any) -> Verdicts:
    """Runs CHECKS with CONFTEST."""
    course.checks("one", CHECKS)
    (course.root / "checks" / "lab01" / "conftest.py").write_text(textwrap.dedent(CONFTEST))

    def run(*arguments: str) -> dict[str, tuple[str, str, str]]:
        _, report = course.report("checks", *arguments)
        checks = report["labs"][0]["checks"]
        return {c["id"].rpartition(".")[2]: (c["outcome"], c["saw"], c["did"]) for c in checks}

    return run


def test_each_is_told_as_if_it_had_just_happened(verdicts: Verdicts) -> None:
    found = verdicts()
    assert found["works"] == ("passed", "", "")
    assert found["played"] == ("failed", "another", "open a stage\nplay it")
    assert found["judged"] == ("failed", "that", "")


def test_those_on_the_common_stage_follow_one_another(verdicts: Verdicts) -> None:
    found = verdicts()
    assert found["shared"] == ("failed", "another", "open a stage\nuse it 1×\nclear it")
    assert found["shared_again"] == ("failed", "an open one", "use it 2×\nclear it")


def test_processes_that_share_the_checks_tell_the_same(verdicts: Verdicts) -> None:
    found = verdicts("-n", "2")
    outcomes = [found[name][0] for name in ("works", "played", "shared", "judged")]
    assert outcomes == ["passed", "failed", "failed", "failed"]


def test_the_gate_blocks_those_that_fail(verdicts: Verdicts, course: Any) -> None:
    (course.root / "broken").touch()
    found = verdicts()
    assert found["works"] == ("failed", "it does not", "observe whether anything works")
    assert found["played"][:2] == ("blocked", "it does not")
    assert found["judged"][:2] == ("blocked", "it does not")


def test_the_gate_is_asked_though_it_was_not_selected(verdicts: Verdicts, course: Any) -> None:
    (course.root / "broken").touch()
    assert verdicts("-k", "played")["played"][:2] == ("blocked", "it does not")


def test_without_a_project_all_is_said_once(verdicts: Verdicts, course: Any) -> None:
    (course.root / "no_project").touch()
    found = verdicts()
    assert found["works"][:2] == ("failed", "none")
    assert {found["played"][0], found["judged"][0]} == {"blocked"}
