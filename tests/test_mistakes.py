"""What services say of a wrong configuration: all at once, one by one, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import project
from labkit.episodes import mistakes
from labkit.episodes.mistakes import Sifting
from labkit.evidence import CheckFailed

WRONG = {"ONE": "x", "TWO": None, "THREE": "-1"}
ALL = """
import os, sys
wrong = [name for name in ("ONE", "TWO", "THREE") if os.environ.get(name) != "good"]
sys.exit("wrong: " + ", ".join(wrong))
"""
FIRST = ALL.replace("join(wrong)", "join(wrong[:1])")


@pytest.fixture
def sift(a_project: Callable[..., Path]) -> Callable[[str], Sifting]:
    """Sifts WRONG with a service of which the code is given."""

    def sift(code: str) -> Sifting:
        the_project = project.load(a_project("api: python main.py", main=code))
        return mistakes.sift(the_project, "api", dict.fromkeys(WRONG, "good"), WRONG)

    return sift


def test_one_start_if_all_are_named(sift: Callable[[str], Sifting]) -> None:
    found = sift(ALL)
    found.expect_refused()
    assert [start.named for start in found.starts] == [{"ONE", "TWO", "THREE"}]


def test_as_many_starts_as_it_takes(sift: Callable[[str], Sifting]) -> None:
    found = sift(FIRST)
    found.expect_refused()
    assert [sorted(start.named) for start in found.starts] == [["ONE"], ["TWO"], ["THREE"]]


def refused(found: Sifting) -> CheckFailed:
    with pytest.raises(CheckFailed) as caught:
        found.expect_refused()
    return caught.value


def test_what_is_not_named_is_told(sift: Callable[[str], Sifting]) -> None:
    error = refused(sift("import sys; sys.exit('ONE and TWO_MORE and XTHREE are wrong')"))
    assert (
        error.expected
        == "the variable that is wrong by its name, such as TWO: `api` with TWO missing, THREE='-1'"
    )


def test_one_that_runs_all_the_same(sift: Callable[[str], Sifting], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mistakes, "REFUSES_S", 0.5)
    monkeypatch.setattr(mistakes, "_GRACE_S", 0.5)
    error = refused(sift("import time; time.sleep(600)"))
    assert "to end within" in error.expected
    assert error.saw == "it still runs"


def test_one_that_is_content(sift: Callable[[str], Sifting]) -> None:
    assert refused(sift("print('ONE TWO THREE')")).saw == "status 0"


def test_a_traceback(sift: Callable[[str], Sifting]) -> None:
    error = refused(sift("raise ValueError('ONE TWO THREE')"))
    assert error.expected.startswith("a clear line and no traceback of `api`")
    assert error.saw == "Traceback … ValueError: ONE TWO THREE"


def test_passwords_are_not_shown() -> None:
    shown = mistakes.shown({"DATABASE_URL": "postgresql://me:s3cr3t@here/db", "API_PORT": "http"})
    assert shown == "DATABASE_URL='postgresql://me:…@here/db', API_PORT='http'"
