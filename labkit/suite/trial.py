"""The trial of a student's tests: every run that the checks of lab 05 judge, each made once."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import evidence
from labkit.beside import Performance
from labkit.evidence import CheckFailed, Journal
from labkit.postgres import Database, Server
from labkit.project import Project
from labkit.sabotage.saboteurs import SABOTEURS
from labkit.suite import coverage_report, lane, measure, remnants
from labkit.suite.lane import Lane, Round
from labkit.suite.remnants import Remnants

SUITE_S = 60.0
"""How long a suite may take (scaled to the machine)."""

_ATTEMPTS = 3
"""How many tests may turn out not to notice a saboteur reliably before it counts as not noticed."""


@dataclass(frozen=True)
class Twice:
    """The suite as it is, two times, with a database; and what each run left there."""

    tests: list[str]
    first: Round
    second: Round
    left: tuple[Remnants, Remnants]

    @property
    def sound(self) -> set[str]:
        """The tests that passed both times."""
        return set(self.first.passed) & set(self.second.passed)


@dataclass(frozen=True)
class Notice:
    """Whether a saboteur was noticed, and by which test. `met` are the tests that had to do with what it
    changes; `around` is an error around a test, which notices nothing; `unsure` a test that failed only
    sometimes."""

    saboteur: str
    by: str | None
    message: str
    met: list[str]
    around: str | None = None
    unsure: str | None = None
    late: bool = False


@dataclass
class Trial:
    """All runs, by name: `twice`, `shuffled`, `without` (a database), `alone` (what needs one), `coverage`,
    and one for each saboteur. `begin` starts them; `told` waits for one."""

    project: Project
    server: Server
    bugs: Sequence[str]
    over: threading.Event = field(default_factory=threading.Event)
    _parts: dict[str, Future[Performance]] = field(default_factory=dict)
    _results: dict[str, Any] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)
    _left: deque[str] = field(default_factory=deque)

    def begin(self) -> None:
        """Start all runs, in two threads: as many as there are cores on a small machine."""
        for part in ("twice", "shuffled", "without", "alone", "coverage", *self.bugs):
            self._parts[part] = Future()
        self._left.extend(self.bugs)
        for side in (self._one_side, self._other_side):
            thread = threading.Thread(target=side, name="trial", daemon=True)
            thread.start()
            self._threads.append(thread)

    def told(self, part: str) -> Any:
        """What a part brought; raises what it ended with. What was done is evidence of the running check."""
        performance = self._parts[part].result()
        journal = evidence.journal()
        journal.actions.extend(performance.journal.actions)
        journal.logs.extend(performance.journal.logs)
        if performance.error is not None:
            raise performance.error
        return self._results[part]

    def end(self) -> None:
        """Break off what still goes on; returns when it has ended."""
        self.over.set()
        for thread in self._threads:
            thread.join()

    # -- the two threads -----------------------------------------------------------------------------------

    def _one_side(self) -> None:
        figures = Path(tempfile.mkdtemp(prefix="lab-")) / "figures"
        target = measure.target(self.project.folder)

        def runs(the: Lane, database: Database) -> None:
            self._part("twice", lambda: _twice(the, database))
            self._part("coverage", lambda: coverage_report.read(target, figures))
            self._part("alone", lambda: _alone(the, self._result("without")))
            self._face_saboteurs(the, database)

        self._in_a_lane(runs, ("twice", "coverage", "alone", *self.bugs), coverage=target.written(figures))
        shutil.rmtree(figures.parent, ignore_errors=True)

    def _other_side(self) -> None:
        def without(the: Lane, database: Database) -> None:
            self._part("without", lambda: the.run(within=SUITE_S))

        def runs(the: Lane, database: Database) -> None:
            self._part("shuffled", lambda: the.run(within=SUITE_S, seed=20))
            self._face_saboteurs(the, database)

        self._in_a_lane(without, ("without",), told_of_it=False)
        self._in_a_lane(runs, ("shuffled",))

    def _in_a_lane(
        self,
        runs: Callable[[Lane, Database], None],
        parts: Sequence[str],
        *,
        told_of_it: bool = True,
        coverage: str | None = None,
    ) -> None:
        """Make some runs in a process on a database of its own, which the tests are told of or not. If there
        can be none, that is what these parts end with."""
        journal = Journal()
        try:
            with evidence.aside(journal), self.server.database("tests") as database:
                url = database.url if told_of_it else None
                with lane.opened(self.project, self.over, database_url=url, coverage=coverage) as the:
                    runs(the, database)
        except BaseException as error:
            for part in parts:
                self._settle(part, Performance(journal, error))

    def _part(self, name: str, play: Callable[[], Any]) -> None:
        journal = Journal()
        with evidence.aside(journal):
            error: BaseException | None = None
            try:
                self._results[name] = play()
            except BaseException as raised:
                error = raised
        self._settle(name, Performance(journal, error))

    def _settle(self, name: str, performance: Performance) -> None:
        if not self._parts[name].done():
            self._parts[name].set_result(performance)

    def _result(self, name: str) -> Any:
        """What another part has brought; its error if it ended with one."""
        performance = self._parts[name].result()
        if performance.error is not None:
            raise performance.error
        return self._results[name]

    def _face_saboteurs(self, the: Lane, database: Database) -> None:
        """Let the tests meet one saboteur after another, until none is left."""
        while not self.over.is_set():
            try:
                bug = self._left.popleft()
            except IndexError:
                return
            self._part(bug, lambda bug=bug: self._face(the, database, bug))  # type: ignore[misc]

    def _face(self, the: Lane, database: Database, bug: str) -> Notice:
        twice: Twice = self._result("twice")
        needs_none = set(self._result("without").passed)
        began = time.monotonic()
        met = _met(twice, bug)
        met.sort(key=lambda test: (test not in needs_none, _duration(twice.first, test)))
        within = 3 * twice.first.duration_s + 10.0
        notice = Notice(bug, None, "", met)
        left = met
        for _ in range(_ATTEMPTS):
            if not left:
                break
            run = the.run(left, saboteur=bug, within=within, stop=True)
            remnants.clear(database)
            failed, errors = run.of("failed"), run.of("error")
            around = notice.around or (f"{errors[0].test}: {errors[0].message}" if errors else None)
            notice = Notice(bug, None, "", met, around, notice.unsure, run.how == "late")
            if not failed:
                break
            test = failed[0]
            if _again(the, database, test.test, bug, within):
                return Notice(bug, test.test, test.message, met)
            notice = Notice(bug, None, "", met, around, test.test)
            left = left[left.index(test.test) + 1 :]
        evidence.did(f"ran {len(met)} tests with {bug} ({time.monotonic() - began:.1f} s)")
        return notice


def _twice(the: Lane, database: Database) -> Twice:
    if the.collected.errors:
        raise CheckFailed("pytest to load every file with tests", "\n".join(the.collected.errors[:5]))
    if not the.collected.tests:
        raise CheckFailed("tests", "pytest found none")
    first = the.run(within=SUITE_S, measure=True)
    after_first = remnants.inspect(database)
    second = the.run(within=SUITE_S)
    return Twice(the.collected.tests, first, second, (after_first, remnants.inspect(database)))


def _alone(the: Lane, without: Round) -> Round:
    """What was skipped where there was no database, and nothing else."""
    tests = [ran.test for ran in without.of("skipped")]
    return the.run(tests, within=SUITE_S) if tests else Round()


def _met(twice: Twice, bug: str) -> list[str]:
    """The tests that pass, and had to do with what this saboteur changes (or may have had, in a process of
    their own)."""
    saboteur = SABOTEURS[bug]

    def concerned(exchanges: Sequence[tuple[str, str, int]]) -> bool:
        return any(saboteur.changes(*exchange) for exchange in exchanges)

    shared = {name for name, exchanges in twice.first.fixtures.items() if concerned(exchanges)}
    elsewhere = concerned(twice.first.elsewhere)
    return [
        ran.test
        for ran in twice.first.of("passed")
        if ran.test in twice.sound
        and (concerned(ran.exchanges) or shared & set(ran.fixtures) or (elsewhere and not ran.exchanges))
    ]


def _again(the: Lane, database: Database, test: str, bug: str, within: float) -> bool:
    """Whether the test fails with the saboteur once more, and passes without it."""
    with_it = the.run([test], saboteur=bug, within=within)
    remnants.clear(database)
    without_it = the.run([test], within=within)
    return bool(with_it.of("failed")) and bool(without_it.of("passed"))


def _duration(run: Round, test: str) -> float:
    return next((ran.duration_s for ran in run.ran if ran.test == test), 0.0)
