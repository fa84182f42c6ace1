"""The pytest plugin in the process of a student's tests: collects once, and does in forks what it is told.

Loaded by PYTEST_ADDOPTS. A fork begins where every run begins, with everything imported and nothing done yet.
"""

from __future__ import annotations

import gc
import os
import random
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from labkit.sabotage import drivers, saboteurs
from labkit.sabotage.seam import SEAM
from labkit.suite import measure, wire
from labkit.suite.wire import SABOTEUR, SOCKET, Collected, Exchange, Fixture, Job, JobEnded, Ran

_MESSAGE = 600
"""How much of a failure's text is told."""

_ROOM_SLOTS = 2**17 + 1
"""The size of a frame, in pointers: a little more than a power of two, so that as much again stays free."""

_T = TypeVar("_T")


def pytest_plugin_registered(manager: pytest.PytestPluginManager) -> None:
    """No library's assertions are rewritten, only the tests' own: pytest would compile each library that
    brings a plugin along anew, in every process, and may keep nothing of that here. It is half the time of a
    start.
    """
    marked = getattr(getattr(manager, "rewrite_hook", None), "_must_rewrite", None)
    if isinstance(marked, set):
        marked -= {name for name in marked if _is_installed(name)}


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get(SOCKET)
    if path and not hasattr(config, "workerinput"):
        drivers.install()
        config.pluginmanager.register(Forks(wire.connect(path)), "labkit-forks")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """One measurement at a time: ours."""
    early_config.known_args_namespace.cov_source = None
    measure.begin()


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """In one process, from the first test to the last, and whatever was left of earlier runs."""
    alone: dict[str, Any] = {"numprocesses": None, "tx": [], "dist": "no", "lf": False, "failedfirst": False}
    for name, value in alone.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)
    return (yield)


class Forks:
    """Does jobs, in a fork for each, until the checks hang up."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.errors: list[str] = []
        self.job: Job | None = None
        self.exchanges: list[Exchange] = []
        self.failed: tuple[str, str] | None = None
        self.duration = 0.0

    # -- in the first process ------------------------------------------------------------------------------

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(f"{report.nodeid}: {_last_line(str(report.longrepr))}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        tests = [item.nodeid for item in session.items]
        threads = _threads_are_left()
        gc.freeze()  # a fork that looks through all that was imported would have to copy it
        wire.send(self.connection, Collected(tests, self.errors, threads))
        for message in wire.received(self.connection):
            if isinstance(message, Job):
                how, status = (
                    ("done", with_room(self._do, session, message))
                    if threads
                    else self._in_a_fork(session, message)
                )
                wire.send(self.connection, JobEnded(message.number, how, status))
                if threads:
                    break
        return True

    def _in_a_fork(self, session: pytest.Session, job: Job) -> tuple[str, int]:
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that other threads may be running
            child = os.fork()
        if child == 0:
            status = 70
            try:
                if job.number > 1:
                    _begin_again(session)
                status = with_room(self._do, session, job)
            finally:
                os._exit(status)
        until = time.monotonic() + job.within
        pause = 0.002
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return ("done" if code == 0 else "died"), code
            if time.monotonic() > until:
                _kill(child)
                os.waitpid(child, 0)
                return "late", 0
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)

    # -- in a fork -----------------------------------------------------------------------------------------

    def _do(self, session: pytest.Session, job: Job) -> int:
        self.job = job
        SEAM.saboteur = saboteurs.named(job.saboteur) if job.saboteur else None
        SEAM.tell = lambda method, resource, status: self.exchanges.append((method, resource, status))
        os.environ[SABOTEUR] = job.saboteur or ""
        if not job.measure:
            measure.drop()
        items = _ordered(session.items, job)
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if job.stop and self.failed and self.failed[0] == "failed":
                break
        _finish(session)
        if job.measure:
            measure.save()
        return 0

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """What passes while a fixture is made that several tests share belongs to all of them."""
        if self.job is None or fixturedef.scope == "function":
            return (yield)
        outer, self.exchanges = self.exchanges, []
        try:
            return (yield)
        finally:
            if self.exchanges:
                wire.send(self.connection, Fixture(self.job.number, fixturedef.argname, self.exchanges))
            self.exchanges = outer

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        self.exchanges, self.failed, self.duration = [], None, 0.0
        outcome = yield
        if self.job is not None:
            kind, message = self.failed or ("passed", "")
            fixtures = list(getattr(item, "fixturenames", ()))
            ran = Ran(self.job.number, item.nodeid, kind, self.duration, message, fixtures, self.exchanges)
            wire.send(self.connection, ran)
        return outcome

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.duration += report.duration
        before = self.failed
        if report.failed:
            kind = (
                "failed" if report.when == "call" and (before is None or before[0] == "failed") else "error"
            )
            self.failed = (kind, _message(report))
        elif report.skipped:
            kind = "expected" if hasattr(report, "wasxfail") else "skipped"
            self.failed = before or (kind, _reason(report))


def with_room(do: Callable[..., _T], *arguments: Any) -> _T:
    """Call it where the interpreter's stack has room.

    CPython keeps frames in blocks of 16 KiB, and maps or unmaps one whenever calls cross its end. Whether a
    busy loop of some library sits on such an end is mere chance, decided by how deep we call it, and makes it
    ten times as slow. A frame of its own size gets a block twice that size, and no end is near.
    """
    return do(*arguments)


with_room.__code__ = with_room.__code__.replace(co_stacksize=_ROOM_SLOTS)


def _is_installed(module: str) -> bool:
    """Whether it comes from a library, or from here. (pytest's own finder, which remembers what it is asked
    for, is not asked.)"""
    name = module.partition(".")[0]
    found = PathFinder.find_spec(name)
    return name == "labkit" or bool(found and found.origin and "site-packages" in Path(found.origin).parts)


def _threads_are_left() -> bool:
    """Whether there are other threads, once schemathesis has ended its own, as it does between tests."""
    asgi = sys.modules.get("schemathesis.python.asgi")
    end = getattr(asgi, "_shutdown", None)
    if end is not None:
        end()
    return threading.active_count() > 1


def _begin_again(session: pytest.Session) -> None:
    """Tell those conftests that a session begins which tidy up when it ends: they did so after the last job,
    and what they had set up before the first one is gone."""
    plugins = session.config.pluginmanager
    others = [plugin for plugin in plugins.get_plugins() if not _sets_up_and_tidies_up(plugin)]
    plugins.subset_hook_caller("pytest_sessionstart", others)(session=session)


def _sets_up_and_tidies_up(plugin: object) -> bool:
    hooks = ("pytest_sessionstart", "pytest_sessionfinish")
    is_conftest = Path(getattr(plugin, "__file__", None) or "").name == "conftest.py"
    return is_conftest and all(hasattr(plugin, hook) for hook in hooks)


def _finish(session: pytest.Session) -> None:
    """Tell all plugins that the session is over, but for the one that would now have it summed up for nobody:
    other plugins add to its summary, and load whole libraries for that."""
    plugins = session.config.pluginmanager
    reporter = plugins.get_plugin("terminalreporter")
    finish = plugins.subset_hook_caller("pytest_sessionfinish", [reporter] if reporter else [])
    finish(session=session, exitstatus=0)


def _ordered(items: list[pytest.Item], job: Job) -> list[pytest.Item]:
    if job.tests is not None:
        place = {test: number for number, test in enumerate(job.tests)}
        items = sorted((i for i in items if i.nodeid in place), key=lambda item: place[item.nodeid])
    if job.seed is None:
        return list(items)
    draw = random.Random(
        job.seed
    )  # files in random order, and the tests of each: fixtures of a file stay cheap
    rank = {path: draw.random() for path in sorted({str(item.path) for item in items})}
    drawn = {item: draw.random() for item in items}
    return sorted(items, key=lambda item: (rank[str(item.path)], drawn[item]))


def _message(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message) if crash is not None else str(report.longrepr)
    return text[:_MESSAGE]


def _reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)[:_MESSAGE]
    longrepr = report.longrepr
    return str(longrepr[2] if isinstance(longrepr, tuple) else longrepr)[:_MESSAGE]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:_MESSAGE] if lines else "it cannot be loaded"


def _kill(pid: int) -> None:
    """End a process and all that it has started."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        family = []
    for number in [pid, *(member.pid for member in family)]:
        try:
            os.kill(number, 9)
        except ProcessLookupError:
            continue
