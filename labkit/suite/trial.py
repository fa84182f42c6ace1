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
from labkit.sabotage.saboteurs import SABOTEURS, placebo
from labkit.suite import coverage_report, lane, measure, remnants, sources
from labkit.suite.coverage_report import Coverage
from labkit.suite.lane import Lane, Round
from labkit.suite.measure import Target
from labkit.suite.remnants import Remnants
from labkit.suite.sources import Sources

SUITE_S = 60.0
"""How long a suite may take (scaled to the machine)."""

_SEED = 20
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
    _alone: dict[str, bool] = field(default_factory=dict)
    """Whether a test passes when it is the only one, and what sits in between changes nothing."""

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
        with clock_stopped():
            performance = self._parts[part].result()
        journal = evidence.journal()
        journal.actions.extend(performance.journal.actions)
        journal.logs.extend(performance.journal.logs)
        journal.waits.extend(performance.journal.waits)
        return self.result(part)

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
        first = second = the.run(within=SUITE_S, measure=True)
        after_first = remnants.inspect(database)
        if first.how != "late":
            tests = the.collected.tests[::-1]
            evidence.did("ran all tests in reverse order")
            second = backwards = the.run(tests, within=SUITE_S)
            if not backwards.green and backwards.how != "late" and not the.run(tests, within=SUITE_S).green:
                second = the.run(within=SUITE_S)
                if second.green:
                    self._orders.append(backwards)
        return Twice(the.collected.tests, first, second, (after_first, remnants.inspect(database)))

    def _without(self, the: Lane) -> Round:
        """In random order; if that goes wrong, in their own order again."""
        if the.collected.errors:
            loadable = "every file with tests to be loaded where there is no database, too"
            raise CheckFailed(loadable, "\n".join(the.collected.errors[:5]))
        evidence.did("ran all tests in random order")
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
            met = _met(without, set(without.passed), bug)
            notice = self._meet(the, None, bug, met, 3 * without.duration_s + 10.0)
        if notice.by is None:
            self._unnoticed.append(bug)
            return
        self._results[bug] = notice
        self._settle(bug, Performance(journal, None))

    def _face(self, the: Lane, database: Database, bug: str) -> Notice:
        """Let all tests meet a saboteur, those first that need no database."""
        twice: Twice = self.result("twice")
        needs_none = set(self.result("without").passed)
        met = _met(twice.first, twice.sound, bug)
        met.sort(key=lambda test: test not in needs_none)
        return self._meet(the, database, bug, met, 3 * twice.first.duration_s + 10.0)

    def _meet(self, the: Lane, database: Database | None, bug: str, met: list[str], within: float) -> Notice:
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
        evidence.did(f"ran {len(met)} tests with {bug} ({time.monotonic() - began:.1f} s)")
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


def _coverage(target: Target, figures: Path, untouched: Sources) -> Coverage:
    """What the figures say; fails the check if they are not about the sources that were there before."""
    coverage = coverage_report.read(target, figures)
    if changed := sources.differences(untouched, sources.read(target)):
        more = [f"… and {len(changed) - 5} more"] if len(changed) > 5 else []
        raise CheckFailed(
            "tests that leave the sources of the API as they are", "\n".join(changed[:5] + more)
        )
    return coverage


def _clear(database: Database | None) -> None:
    if database is not None:
        remnants.clear(database)


def _alone(the: Lane, without: Round) -> Round:
    """What was skipped where there was no database, and nothing else."""
    tests = [ran.test for ran in without.of("skipped")]
    if not tests:
        return Round()
    alone = the.run(tests, within=SUITE_S)
    if alone.green or alone.how == "late":
        return alone
    return the.run(tests, within=SUITE_S)  # what fails only sometimes is not about being alone


def _met(healthy: Round, sound: set[str], bug: str) -> list[str]:
    """The sound tests that, in a healthy run, had to do with what this saboteur changes (or may have had, in
    a process of their own); the quickest first."""
    saboteur = SABOTEURS[bug]

    def concerned(exchanges: Sequence[tuple[str, str, int]]) -> bool:
        return any(saboteur.changes(*exchange) for exchange in exchanges)

    shared = {name for name, exchanges in healthy.fixtures.items() if concerned(exchanges)}
    elsewhere = concerned(healthy.elsewhere)
    met = [
        ran
        for ran in healthy.of("passed")
        if ran.test in sound
        and (concerned(ran.exchanges) or shared & set(ran.fixtures) or (elsewhere and not ran.exchanges))
    ]
    return [ran.test for ran in sorted(met, key=lambda ran: ran.duration_s)]
