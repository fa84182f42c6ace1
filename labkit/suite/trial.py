"""The trial of a student's tests: every run that the checks of lab 05 judge, each made once."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import evidence
from labkit.beside import Performance
from labkit.deadlines import clock_stopped
from labkit.evidence import CheckFailed, Journal
from labkit.postgres import Database, Server
from labkit.project import Project, ProjectError
from labkit.suite import coverage_report, lane, measure, remnants, sources
from labkit.suite.coverage_report import Coverage
from labkit.suite.encounters import Encounters, Notice, concerned
from labkit.suite.lane import Lane, Round
from labkit.suite.measure import Target
from labkit.suite.remnants import Remnants
from labkit.suite.sources import Sources

SUITE_S = 60.0
"""How long a suite may take (scaled to the machine)."""

_SEED = 20


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
    _unnoticed: deque[str] = field(default_factory=deque)
    """Saboteurs that no unit test has noticed."""
    _no_more_units: threading.Event = field(default_factory=threading.Event)
    _orders: list[Round] = field(default_factory=list)
    """Runs in another order than the tests' own."""
    _encounters: Encounters = field(default_factory=Encounters)

    def begin(self) -> None:
        """Start all runs, in two threads: as many as there are cores on a small machine."""
        for part in ("twice", "shuffled", "without", "alone", "coverage", *self.bugs):
            self._parts[part] = Future()
        self._left.extend(self.bugs)
        target = measure.target(self.project.folder, self._api())
        untouched = sources.read(target)
        for side in (lambda: self._with_a_database(target, untouched), self._without_a_database):
            thread = threading.Thread(target=side, name="trial", daemon=True)
            thread.start()
            self._threads.append(thread)

    def told(self, part: str) -> Any:
        """What a part brought; raises what it ended with. What was done is evidence of the running check.

        The check's own clock stands still meanwhile: each run has its deadline, and the first check that asks
        waits for all that was begun before.
        """
        evidence.journal().take_over(self._ended(part).journal)
        return self.result(part)

    def known(self, part: str) -> Any:
        """The same, where what was done for it is not what the running check is about."""
        self._ended(part)
        return self.result(part)

    def _ended(self, part: str) -> Performance:
        with clock_stopped():
            return self._parts[part].result()

    def end(self) -> None:
        """Break off what still goes on; returns when it has ended."""
        self.over.set()
        for thread in self._threads:
            thread.join()

    # -- the two threads -----------------------------------------------------------------------------------

    def _with_a_database(self, target: Target, untouched: Sources) -> None:
        figures = Path(tempfile.mkdtemp(prefix="lab-")) / "figures"

        def runs(the: Lane, database: Database) -> None:
            self._part("twice", lambda: self._twice(the, database))
            self._part("coverage", lambda: _coverage(target, figures, untouched))
            self._part("alone", lambda: _alone(the, self.result("without")))
            self._part("shuffled", lambda: self._shuffled())
            while bug := self._next_bug():
                self._part(bug, lambda bug=bug: self._face(the, database, bug))  # type: ignore[misc]

        parts = ("twice", "coverage", "alone", "shuffled", *self.bugs)
        with self._settling(*parts) as journal, evidence.aside(journal):
            with self.server.database("tests") as database:
                url, figured = database.url, target.written(figures)
                with lane.opened(self.project, self.over, database_url=url, coverage=figured) as the:
                    runs(the, database)
        shutil.rmtree(figures.parent, ignore_errors=True)

    def _without_a_database(self) -> None:
        with self._settling("without") as journal, evidence.aside(journal):
            with lane.opened(self.project, self.over, database_url=None) as the:
                self._part("without", lambda: self._without(the))
                while self._left and not self.over.is_set():
                    self._face_units(the)
        self._no_more_units.set()

    def _api(self) -> list[str]:
        """The command that starts the API; empty if there is none, which is not what this lab is about."""
        try:
            return self.project.command("api")
        except ProjectError:
            return []

    @contextmanager
    def _settling(self, *parts: str) -> Iterator[Journal]:
        """What goes wrong inside is what these parts end with, unless they have ended before."""
        journal = Journal()
        try:
            yield journal
        except BaseException as error:
            for part in parts:
                self._settle(part, Performance(journal, error))

    def _next_bug(self) -> str | None:
        """A saboteur for the tests with a database: one that no unit test has noticed, else one that none has
        met yet; None if there are no more."""
        while not self.over.is_set():
            over = self._no_more_units.is_set()
            for waiting in (self._unnoticed, self._left):
                with suppress(IndexError):
                    return waiting.popleft()
            if over:
                break
            time.sleep(0.02)
        return None

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

    def result(self, name: str) -> Any:
        """What a part has brought; raises what it ended with."""
        performance = self._parts[name].result()
        if performance.error is not None:
            raise performance.error
        return self._results[name]

    def _twice(self, the: Lane, database: Database) -> Twice:
        """In their own order, and backwards, where each test that needs another one before it has none.

        If that goes wrong, it may be the order, or that it is the second time, or mere chance: those who fail
        backwards whenever they are asked, and never in their own order, depend on it.
        """
        if the.collected.errors:
            raise CheckFailed("pytest to load every file with tests", "\n".join(the.collected.errors[:5]))
        if not the.collected.tests:
            raise CheckFailed("tests", "pytest found none")
        evidence.did("run all tests with a database")
        first = second = the.run(within=SUITE_S, measure=True)
        after_first = remnants.inspect(database)
        if first.how != "late":
            tests = the.collected.tests[::-1]
            evidence.did("run all tests again, in reverse order")
            second = backwards = the.run(tests, within=SUITE_S)
            if not backwards.green and backwards.how != "late" and not the.run(tests, within=SUITE_S).green:
                evidence.did("run all tests again, in their own order")
                second = the.run(within=SUITE_S)
                if second.green:
                    self._orders.append(backwards)
        return Twice(the.collected.tests, first, second, (after_first, remnants.inspect(database)))

    def _without(self, the: Lane) -> Round:
        """In random order; if that goes wrong, in their own order again."""
        if the.collected.errors:
            loadable = "every file with tests to be loaded where there is no database, too"
            raise CheckFailed(loadable, "\n".join(the.collected.errors[:5]))
        evidence.did("run all tests without a database")
        drawn = the.run(within=SUITE_S, seed=_SEED)
        if drawn.green or drawn.how == "late":
            return drawn
        own = the.run(within=SUITE_S)
        drawn.ran = [ran for ran in drawn.ran if ran.outcome == "passed" or ran.test in own.passed]
        self._orders.append(drawn)
        return own

    def _shuffled(self) -> Round:
        """The first run in another order that went wrong; a good one if none has."""
        self._parts["without"].result()
        return next((run for run in self._orders if not run.green), Round())

    def _face_units(self, the: Lane) -> None:
        """Let the unit tests meet the next saboteur. If none notices it, the others will meet it later."""
        try:
            bug = self._left.popleft()
        except IndexError:  # the other thread was faster
            return
        journal = Journal()
        with evidence.aside(journal):
            without: Round = self.result("without")
            met = concerned(without, set(without.passed), bug)
            notice = self._encounters.meet(the, None, bug, met, 3 * without.duration_s + 10.0)
        if notice.by is None:
            self._unnoticed.append(bug)
            return
        self._results[bug] = notice
        self._settle(bug, Performance(journal, None))

    def _face(self, the: Lane, database: Database, bug: str) -> Notice:
        """Let all tests meet a saboteur, those first that need no database."""
        twice: Twice = self.result("twice")
        needs_none = set(self.result("without").passed)
        met = concerned(twice.first, twice.sound, bug)
        met.sort(key=lambda test: test not in needs_none)
        return self._encounters.meet(the, database, bug, met, 3 * twice.first.duration_s + 10.0)


def _coverage(target: Target, figures: Path, untouched: Sources) -> Coverage:
    """What the figures say; fails the check if they are not about the sources that were there before."""
    coverage = coverage_report.read(target, figures)
    if changed := sources.differences(untouched, sources.read(target)):
        more = [f"… and {len(changed) - 5} more"] if len(changed) > 5 else []
        raise CheckFailed(
            "tests that leave the sources of the API as they are", "\n".join(changed[:5] + more)
        )
    return coverage


def _alone(the: Lane, without: Round) -> Round:
    """What was skipped where there was no database, one by one or a whole file at once, and nothing else."""
    tests = [ran.test for ran in without.of("skipped")]
    if without.how == "done":
        known = {ran.test for ran in without.ran}
        tests += [test for test in the.collected.tests if test not in known]
    if not tests:
        return Round()
    evidence.did("run the tests that need a database by themselves")
    alone = the.run(tests, within=SUITE_S)
    if alone.green or alone.how == "late":
        return alone
    return the.run(tests, within=SUITE_S)  # what fails only sometimes is not about being alone
