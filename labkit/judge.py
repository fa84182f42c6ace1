"""What the end of a check means for the student: its outcome, and the evidence for it."""

from __future__ import annotations

from labkit.checks import Check, Outcome
from labkit.errors import LabError
from labkit.evidence import Blocked, CheckFailed, Journal, TimeUp, excerpt, shorten
from labkit.loglines import readable
from labkit.project import ProjectError
from labkit.report import Verdict


def judge(check: Check, journal: Journal, error: BaseException | None, duration_s: float) -> Verdict:
    """The verdict on a check that ended with `error`, or without one, after `duration_s` seconds."""
    outcome, expected, saw = _outcome(error)
    passed = outcome == Outcome.PASSED
    return Verdict(
        id=check.id,
        title=check.title,
        outcome=outcome,
        score=check.points if passed else 0.0,
        max_score=check.points,
        duration_s=round(duration_s, 3),
        did="" if passed else excerpt(journal.did()),
        expected=excerpt(expected),
        saw=excerpt(saw),
        ask=check.ask,
        read=check.read,
        again=check.again,
        blocked_by=error.by if isinstance(error, Blocked) else None,
        curl=() if passed else tuple(journal.curls()),
        advice=tuple(journal.advice),
        log=() if passed else tuple(shorten(readable(line)) for line in journal.log()),
        waits=journal.longest_waits(),
    )


def _outcome(error: BaseException | None) -> tuple[Outcome, str, str]:
    """How the check ended, what was expected, and what was seen instead."""
    match error:
        case None:
            return Outcome.PASSED, "", ""
        case Blocked(cause=cause):
            return Outcome.BLOCKED, cause.expected, cause.saw
        case CheckFailed() | ProjectError():
            return Outcome.FAILED, error.expected, error.saw
        case TimeUp():
            limit = f"the whole check to take less than {error.after_s:.0f} s"
            return Outcome.FAILED, limit, "it did not come to an end"
        case LabError():
            return Outcome.ERROR, "the grader to work", str(error)
        case _:
            return Outcome.ERROR, "the grader to work", f"{type(error).__name__}: {shorten(str(error), 500)}"
