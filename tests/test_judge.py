"""From the end of a check to its verdict."""

from __future__ import annotations

import pytest

from labkit import judge
from labkit.checks import Check, describe
from labkit.errors import LabError, UsageError
from labkit.evidence import Action, Blocked, CheckFailed, Journal, TimeUp
from labkit.project import ProjectError

CHECK = Check("lab01.a.b", "It holds", "Why?", 0.25, "labs/lab-01.md#a")


@pytest.mark.parametrize(
    ("error", "outcome", "saw"),
    [
        (None, "passed", ""),
        (CheckFailed("this", "that"), "failed", "that"),
        (ProjectError("this", "that"), "failed", "that"),
        (Blocked("lab01.a.gate", CheckFailed("this", "that")), "blocked", "that"),
        (TimeUp(60), "failed", "it did not come to an end"),
        (LabError("No disk.", "Make room."), "error", "No disk.\nMake room."),
        (UsageError("No such thing."), "error", "No such thing."),
        (ZeroDivisionError("by zero"), "error", "ZeroDivisionError: by zero"),
        (AssertionError("assert 1 == 2"), "error", "AssertionError: assert 1 == 2"),
    ],
)
def test_outcomes(error: BaseException | None, outcome: str, saw: str) -> None:
    verdict = judge.judge(CHECK, Journal(), error, 1.23456)
    assert (verdict.outcome, verdict.saw) == (outcome, saw)
    assert verdict.score == (0.25 if outcome == "passed" else 0)
    assert (verdict.max_score, verdict.duration_s) == (0.25, 1.235)
    assert verdict.blocked_by == ("lab01.a.gate" if outcome == "blocked" else None)


def test_whatever_a_project_says_stays_within_bounds_and_harmless() -> None:
    flood = "\x1b[2J" + "x" * 100_000
    journal = Journal(actions=[Action(flood, "x")], logs=[lambda: [flood, flood]])
    verdict = judge.judge(CHECK, journal, ProjectError(flood, "\n".join([flood] * 100)), 0)
    texts = [verdict.did, verdict.expected, *verdict.saw.splitlines(), *verdict.log]
    assert all(text.isprintable() and len(text) < 5_000 for text in texts)
    assert len(verdict.saw) < 5_000


def test_a_check_that_passed_carries_no_evidence() -> None:
    journal = Journal(actions=[Action("GET /", "x", "curl")], logs=[lambda: ["line"]])
    verdict = judge.judge(CHECK, journal, None, 0)
    assert (verdict.did, verdict.curl, verdict.log) == ("", (), ())


def test_a_check_is_described_by_its_function() -> None:
    def test_answers() -> None:
        """A task that was
        created can be read.

        Where did it go?
        """

    found = describe("lab01", "test_read", test_answers, 0.5, "lab-01.md#a")
    assert found == Check(
        "lab01.read.answers",
        "A task that was created can be read",
        "Where did it go?",
        0.5,
        "labs/lab-01.md#a",
    )
    assert found.again == "pytest checks/lab01 -k answers"
