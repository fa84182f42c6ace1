"""Tests meet saboteurs: who fails then, in the test itself and beyond doubt, has noticed something."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit import evidence
from labkit.postgres import Database
from labkit.sabotage.saboteurs import SABOTEURS, placebo
from labkit.suite import remnants
from labkit.suite.lane import Lane, Round

_ATTEMPTS = 3
"""How many tests may turn out not to notice a saboteur reliably before it counts as not noticed."""


@dataclass(frozen=True)
class Notice:
    """Whether a saboteur was noticed, and by which test. `met` are the tests that had to do with what it
    changes; `around` is an error around a test, which notices nothing; `unsure` a test whose failing
    says nothing, and why."""

    saboteur: str
    by: str | None
    message: str
    met: list[str]
    around: str | None = None
    unsure: str | None = None
    late: bool = False


@dataclass
class Encounters:
    """All encounters of a suite with saboteurs."""

    _alone: dict[str, bool] = field(default_factory=dict)
    """Whether a test passes when it is the only one, and what sits in between changes nothing."""

    def meet(self, the: Lane, database: Database | None, bug: str, met: list[str], within: float) -> Notice:
        """Run these tests with a saboteur, until one notices it beyond doubt."""
        began = time.monotonic()
        notice = Notice(bug, None, "", met)
        left = met
        for _ in range(_ATTEMPTS):
            if not left:
                break
            run = the.run(left, saboteur=bug, within=within, stop=True)
            _clear(database)
            failed, errors = run.of("failed"), run.of("error")
            around = notice.around or (f"{errors[0].test}: {errors[0].message}" if errors else None)
            notice = Notice(bug, None, "", met, around, notice.unsure, run.how == "late")
            if not failed:
                break
            test = failed[0]
            doubt = self._doubt(the, database, test.test, bug, within)
            if doubt is None:
                return Notice(bug, test.test, test.message, met)
            notice = Notice(bug, None, "", met, around, f"{test.test} {doubt}")
            left = left[left.index(test.test) + 1 :]
        if met:
            tests = "1 test" if len(met) == 1 else f"{len(met)} tests"
            evidence.did(f"run {tests} with {bug} ({time.monotonic() - began:.1f} s)")
        return notice

    def _doubt(self, the: Lane, database: Database | None, test: str, bug: str, within: float) -> str | None:
        """Why it says nothing that the test has failed; None if, alone, it fails with the saboteur once more
        and passes with a placebo: who looks for a saboteur, and not at the answers, has noticed nothing."""
        with_it = the.run([test], saboteur=bug, within=within)
        _clear(database)
        if not with_it.of("failed"):
            return "failed once, and not again"
        if test not in self._alone:  # it may have noticed another saboteur before
            self._alone[test] = bool(the.run([test], saboteur=placebo(bug), within=within).of("passed"))
        return None if self._alone[test] else "fails alone, even when nothing is changed"


def concerned(healthy: Round, sound: set[str], bug: str) -> list[str]:
    """The sound tests that, in a healthy run, had to do with what this saboteur changes (or may have had, in
    a process of their own); the quickest first."""
    saboteur = SABOTEURS[bug]

    def changed(exchanges: Sequence[tuple[str, str, int]]) -> bool:
        return any(saboteur.changes(*exchange) for exchange in exchanges)

    shared = {name for name, exchanges in healthy.fixtures.items() if changed(exchanges)}
    elsewhere = changed(healthy.elsewhere)
    met = [
        ran
        for ran in healthy.of("passed")
        if ran.test in sound
        and (changed(ran.exchanges) or shared & set(ran.fixtures) or (elsewhere and not ran.exchanges))
    ]
    return [ran.test for ran in sorted(met, key=lambda ran: ran.duration_s)]


def _clear(database: Database | None) -> None:
    if database is not None:
        remnants.clear(database)
