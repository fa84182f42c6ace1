"""A process of a student's tests under control, and the jobs that it does one after the other."""

from __future__ import annotations

import queue
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from labkit import evidence, sabotage, services
from labkit.deadlines import allowed, allowed_now, wait_until, waited
from labkit.evidence import CheckFailed, shorten
from labkit.ports import free_port
from labkit.project import Project
from labkit.services import Service
from labkit.suite import wire
from labkit.suite.wire import COVERAGE, SOCKET, Collected, Elsewhere, Exchange, Fixture, Job, JobEnded, Ran

COLLECT_S = 30.0
"""How long it may take until all tests are collected (scaled to the machine)."""

_GRACE_S = 10.0
"""How long after its deadline a job may still say how it ended."""

_BOOT = Path(sabotage.__file__).parent / "boot"


@dataclass
class Round:
    """One run of some tests, from begin to end. `how`: done, late or died; `elsewhere` are exchanges with
    applications in processes that the tests started."""

    ran: list[Ran] = field(default_factory=list)
    fixtures: dict[str, list[Exchange]] = field(default_factory=dict)
    elsewhere: list[Exchange] = field(default_factory=list)
    how: str = "done"
    status: int = 0
    duration_s: float = 0.0

    def of(self, *outcomes: str) -> list[Ran]:
        """The tests that ended so."""
        return [ran for ran in self.ran if ran.outcome in outcomes]

    @property
    def green(self) -> bool:
        """Whether it ran to its end and nothing failed."""
        return self.how == "done" and not self.red

    @property
    def red(self) -> list[Ran]:
        return self.of("failed", "error")

    @property
    def passed(self) -> list[str]:
        return [ran.test for ran in self.of("passed")]


@dataclass
class Tests:
    """A process that has collected, and waits for jobs. One job at a time."""

    service: Service
    collected: Collected
    _inbox: queue.Queue[wire.Message]
    _connection: socket.socket
    _over: threading.Event

    def do(self, job: Job) -> Round:
        """Do a job to its end, or to ours."""
        outcome = Round()
        began = time.monotonic()
        try:
            wire.send(self._connection, job)
        except OSError:
            return self._lost(outcome)
        while True:
            message = self._next(until=began + job.within + _GRACE_S)
            outcome.duration_s = time.monotonic() - began
            match message:
                case Ran(job=job.number):
                    outcome.ran.append(message)
                case Fixture(job=job.number):
                    outcome.fixtures[message.name] = message.exchanges
                case Elsewhere():
                    outcome.elsewhere.append(message.exchange)
                case JobEnded(job=job.number):
                    outcome.how, outcome.status = message.how, message.status
                    wanted = len(self.collected.tests if job.tests is None else job.tests)
                    if outcome.how == "done" and not job.stop and len(outcome.ran) < wanted:
                        outcome.how = "died"  # os._exit(0) may be the politest way, but it is no end
                    return outcome
                case None:
                    return self._lost(outcome)

    def _next(self, until: float) -> wire.Message | None:
        """The next message; None when there will be none, or not in time."""
        while not self._over.is_set() and time.monotonic() < until:
            try:
                return self._inbox.get(timeout=0.2)
            except queue.Empty:
                if self.service.exit_code is not None and self._inbox.empty():
                    return None
        return None

    def _lost(self, outcome: Round) -> Round:
        code = self.service.exit_code
        outcome.how, outcome.status = ("late", 0) if code is None else ("died", code)
        return outcome


@dataclass
class Lane:
    """Does one job after the other: in forks of one process, or, where a fork would lack a thread that tests
    count on, each in a process of its own."""

    collected: Collected
    _open: Callable[[], AbstractContextManager[Tests]]
    _waiting: Tests
    _jobs: int = 0

    def run(
        self,
        tests: list[str] | None = None,
        *,
        within: float,
        seed: int | None = None,
        saboteur: str | None = None,
        stop: bool = False,
        measure: bool = False,
    ) -> Round:
        """Run these tests (all, if None) to the end, or for `within` seconds (scaled to the machine as it is
        now: others may be at work on it)."""
        self._jobs += 1
        job = Job(self._jobs, tests, seed, saboteur, allowed_now(within), stop, measure)
        if self._jobs == 1 or not self.collected.threads:
            run = self._waiting.do(job)
        else:
            with self._open() as fresh:
                run = fresh.do(job)
        whole = tests is None or len(tests) > 1  # one test alone has a deadline made from the others' time
        if whole and saboteur is None:  # what tests do under a saboteur is the saboteur's doing
            waited(within, run.duration_s, met=run.how != "late")
        return run


@contextmanager
def opened(
    project: Project,
    over: threading.Event,
    *,
    database_url: str | None,
    coverage: str | None = None,
) -> Iterator[Lane]:
    """A lane for the length of a `with` block; fails the check if the tests cannot even be collected.

    Without a database, there is no container engine for the tests either. `coverage` says what is
    measured, and where the figures go (measure.Target.written). It ends early when `over` is set.
    """
    evidence.did("run the tests of the project" if database_url else "run the tests without a database")

    def start() -> AbstractContextManager[Tests]:
        return _started(project, over, _settings(database_url, coverage))

    with start() as tests:
        yield Lane(tests.collected, start, tests)


@contextmanager
def _started(project: Project, over: threading.Event, settings: Mapping[str, str]) -> Iterator[Tests]:
    """A process of the tests that has collected, for the length of a `with` block."""
    folder = Path(tempfile.mkdtemp(prefix="lab-"))  # in the shared temporary folder: a socket's path is short
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(str(folder / "s"))
            listener.listen()
            with services.running(project, "test", {**settings, SOCKET: str(folder / "s")}) as service:
                evidence.journal().logs.append(service.tail())
                yield _meet(service, listener, over)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _settings(database_url: str | None, coverage: str | None) -> Mapping[str, str]:
    settings = {
        "PYTEST_ADDOPTS": "-p labkit.suite.plugin -p no:cacheprovider",
        "PYTHONPATH": str(_BOOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if coverage:
        settings[COVERAGE] = coverage
    if database_url is None:
        return settings | {"DOCKER_HOST": f"tcp://127.0.0.1:{free_port()}"}
    return settings | {"TEST_DATABASE_URL": database_url}


def _meet(service: Service, listener: socket.socket, over: threading.Event) -> Tests:
    """Wait until the tests have been collected."""
    inbox: queue.Queue[wire.Message] = queue.Queue()
    met: queue.Queue[tuple[Collected, socket.socket]] = queue.Queue()

    def read(connection: socket.socket) -> None:
        with suppress(OSError):
            for message in wire.received(connection):
                if isinstance(message, Collected):
                    met.put((message, connection))
                else:
                    inbox.put(message)

    def accept() -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=read, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    wait_until(lambda: not met.empty() or over.is_set() or service.exit_code is not None, within=COLLECT_S)
    if met.empty():
        raise CheckFailed(
            "the command of `test` to start pytest, and pytest to find your tests", _why(service)
        )
    collected, connection = met.get()
    return Tests(service, collected, inbox, connection, over)


def _why(service: Service) -> str:
    """Why no tests were found, in the service's own words."""
    code = service.wait(1.0)
    none = f"has found none after {allowed(COLLECT_S):.0f} s"
    how = none if code is None else services.how_it_ended(code)
    lines = [shorten(line, 200) for line in service.log(6) if line.strip()]
    return "\n".join([f"it {how}", *lines])


def told(run: Round, most: int = 4) -> str:
    """What went wrong in a run, for the student: a line or two for each test, the first ones."""
    lines = []
    for ran in run.red[:most]:
        where = "" if ran.outcome == "failed" else " (around the test, in a fixture)"
        lines += [f"{ran.test}{where}", f"  {shorten(ran.message, 160)}"]
    if len(run.red) > most:
        lines.append(f"… and {len(run.red) - most} more")
    if run.how == "late":
        lines.append(f"after {run.duration_s:.0f} s it was still running{_after(run)}")
    if run.how == "died":
        lines.append(f"the process {services.how_it_ended(run.status)} before all tests had run{_after(run)}")
    return "\n".join(lines) or f"{len(run.passed)} passed"


def _after(run: Round) -> str:
    return f"; the last test that ended was {run.ran[-1].test}" if run.ran else ""
