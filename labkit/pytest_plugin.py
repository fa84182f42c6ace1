"""Everything that the checks need of pytest; the only file that knows pytest's hooks.

A run is one of checks when all its arguments lie in the checks/ folder. Only then do verdicts take the place
of pytest's own reports; every other pytest run in the same environment stays as it is, and leaves the checks
out.
"""

from __future__ import annotations

import difflib
import json
import os
import signal
import time
from collections.abc import Generator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from _pytest.fixtures import SubRequest
from _pytest.terminal import TerminalReporter

from labkit import checks, encoding, evidence, guard, manifest, report
from labkit.checks import Check, Outcome
from labkit.deadlines import patience, time_limit
from labkit.errors import LabError, UsageError
from labkit.evidence import CheckFailed, Journal, TimeUp
from labkit.exports import terminal
from labkit.exports.live import Live
from labkit.judge import judge
from labkit.report import Report, Verdict, verdict_from

VERDICT = "labkit-verdict"
MISUSE = "labkit-misuse"
_CHECK_S = 60.0
"""When a check itself is stopped; every wait inside it ends long before."""

_check_of = pytest.StashKey[Check]()
_journal_of = pytest.StashKey[Journal]()
_verdict_of = pytest.StashKey[Verdict]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("labs", "FlowForge Labs")
    group.addoption(
        "--project", metavar="DIR", help="the project to check (default: the repository's project/)"
    )
    group.addoption("--report", metavar="FILE", help="write the report there as JSON")
    group.addoption(
        "--postgres",
        default="auto",
        metavar="WHICH",
        help="auto, embedded, docker, url (from LAB_POSTGRES_URL), or a postgresql:// URL",
    )
    group.addoption(
        "--lab-seed",
        type=int,
        default=7,
        metavar="N",
        help="seed of generated data and of the fuzz (default: 7)",
    )
    group.addoption(
        "--graded",
        action="store_true",
        help="count the checks against checks/manifest.json: one that is missing or skipped is an error",
    )
    group.addoption(
        "--write-manifest", action="store_true", help="with --collect-only: make checks/manifest.json anew"
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "check(points, read): a graded check")
    root = config.rootpath / "checks"
    inside = [path.is_relative_to(root) for path in _paths(config)]
    if not inside or not all(inside):
        if any(inside):
            raise pytest.UsageError(
                "Checks and other tests cannot run together. Run the checks by themselves: pytest checks"
            )
        if config.option.project:
            # Where the project comes first on the command line, pytest takes it for the root, and its
            # pytest.ini for ours.
            raise pytest.UsageError(
                f"--project goes with checks, and there are none in {root}. "
                "Name them first: pytest checks/lab01 --project DIR"
            )
        config.pluginmanager.register(_LeaveOut(root), "labkit-leave-out")
        return
    option, cwd = config.option, config.invocation_params.dir
    folder = Path(cwd, option.project) if option.project else config.rootpath / "project"
    option.project = str(folder)
    if not os.path.isdir(folder):  # Path.is_dir raises where a parent cannot be entered
        raise pytest.UsageError(
            f"There is no project folder at {folder}. Name the folder that holds the Procfile: --project DIR"
        )
    if option.verbose < 2 and option.tbstyle == "auto":
        option.tbstyle = "no"  # nobody sees them, and a hundred of them take three seconds to make
    _hear_signals()
    run = _Run(config)
    if not run.is_worker:
        try:
            patience()
            if option.report:
                report.require_writable(Path(cwd, option.report))
        except UsageError as error:
            raise pytest.UsageError(" ".join(str(error).splitlines())) from None
    config.pluginmanager.register(run, "labkit-run")


def _paths(config: pytest.Config) -> list[Path]:
    return [Path(config.invocation_params.dir, str(arg).split("::")[0]).resolve() for arg in config.args]


def _hear_signals() -> None:
    """Undo that who is started in the background ignores Ctrl-C: the services that we start would ignore it,
    too, and it is they who must not."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


class _LeaveOut:
    """Keeps the checks out of a run that is not about them: without a project they mean nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return True if collection_path == self.folder else None


class _Run:
    """One run of checks: from what was collected to the report."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.is_worker = hasattr(config, "workerinput")
        self.started = time.monotonic()
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self.verdicts: dict[str, Verdict] = {}
        self.problems: list[str] = []
        self.misuse: list[str] = []
        self.terminal: _Terminal | None = None
        self.report: Report | None = None

    # -- before the run ------------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        plain = config.pluginmanager.getplugin("terminalreporter")
        if plain is not None and not self.is_worker and not config.option.collectonly:
            config.pluginmanager.unregister(plain)
            config.pluginmanager.unregister(name="terminaldistreporter")
            self.terminal = _Terminal(config)
            config.pluginmanager.register(self.terminal, "terminalreporter")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if (xdist := self.config.pluginmanager.getplugin("dsession")) is not None:
            xdist.terminal = None  # it holds on to pytest's own reporter, and would tell of its processes

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: object) -> object:
        from labkit import sharing  # only where several processes run

        return sharing.scheduler(config, log)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        try:
            for item in items:
                item.stash[_check_of] = _described(item)
                item.extra_keyword_matches.add(item.stash[_check_of].id)  # so that -k finds it by its id, too
            if self.config.option.write_manifest:
                found = [item.stash[_check_of] for item in items]
                manifest.write(self.config.rootpath, {check.id: check.points for check in found})
        except (LabError, ValueError) as error:
            raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        found = [item.stash.get(_check_of, None) for item in session.items]
        if self.terminal and found:
            self.terminal.begin([check for check in found if check is not None])

    # -- a check -------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        with evidence.recording(Journal()) as journal:
            item.stash[_journal_of] = journal
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        with time_limit(_CHECK_S, TimeUp):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: SubRequest
    ) -> Generator[None, object, object]:
        try:
            return (yield)
        except TimeUp as error:
            # pytest remembers what a fixture has raised, unless it is no Exception; the next check that asks
            # for this one would find it half made, and fail by the grader's fault.
            fixturedef.cached_result = (None, fixturedef.cache_key(request), (error, error.__traceback__))
            raise

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        with time_limit(_CHECK_S, TimeUp):
            result = yield
        if violations := item.stash[_journal_of].violations:
            raise CheckFailed(
                "every answer on the way to keep to openapi.yaml (what this check is about was right)",
                evidence.listed([f"{v.where}: {v.message}" for v in violations], 3),
            )
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        test_report = yield
        error = call.excinfo.value if call.excinfo else None
        if call.when == "call" or error:
            verdict = judge(item.stash[_check_of], item.stash[_journal_of], error, call.duration)
            before = item.stash.get(_verdict_of, None)
            if before is None or before.outcome == Outcome.PASSED:
                item.stash[_verdict_of] = verdict
        if isinstance(error, UsageError):
            test_report.user_properties.append((MISUSE, str(error)))
        if call.when == "teardown":
            test_report.user_properties.append((VERDICT, json.dumps(asdict(item.stash[_verdict_of]))))
        return test_report

    # -- after it, where all results come together ---------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, text in report.user_properties:
            if name == MISUSE and text not in self.misuse:
                self.misuse.append(str(text))
            if name == VERDICT and report.when == "teardown":
                verdict = verdict_from(json.loads(str(text)))
                self.verdicts[verdict.id] = verdict
                if self.terminal:
                    self.terminal.done()
        if report.when not in ("setup", "call", "teardown"):  # what xdist makes of a process that died
            self.problems.append(f"{report.nodeid}: the process that ran this check died. Run it again.")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.problems.append(
                f"{report.nodeid} could not be loaded: {str(report.longrepr).splitlines()[-1]}"
            )

    def pytest_internalerror(self, excrepr: object) -> None:
        self.problems.append(str(excrepr).strip().splitlines()[-1])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        guard.sweep()  # nobody of the project is around any more when the report is written
        if self.is_worker or self.config.option.collectonly or exitstatus == pytest.ExitCode.USAGE_ERROR:
            return
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED and not self.problems
        if not self.verdicts and not self.problems and not interrupted:
            self.misuse.append(_nothing_selected(self.config))
        if not self.misuse:
            self._finish(interrupted)
        if not interrupted:
            session.exitstatus = self._exit_status(exitstatus)

    def _finish(self, interrupted: bool) -> None:
        option, root = self.config.option, self.config.rootpath
        try:
            if option.graded and self.verdicts and not interrupted:
                self.problems += manifest.deviations(root, self.verdicts.values(), self._labs())
            self.report = report.compose(
                sorted(self.verdicts.values(), key=manifest.position(root)),
                report.load_course(root),
                project=_relative(option.project, root),
                seed=option.lab_seed,
                started_at=self.started_at,
                duration_s=time.monotonic() - self.started,
            )
            if option.report:
                report.save(self.report, Path(self.config.invocation_params.dir, option.report))
        except LabError as error:
            self.problems.append(str(error))

    def _labs(self) -> set[str]:
        """The labs that this run was asked for."""
        root = self.config.rootpath / "checks"
        asked = {path.relative_to(root).parts[:1] for path in _paths(self.config)}
        return manifest.labs(self.config.rootpath) if () in asked else {parts[0] for parts in asked}

    def _exit_status(self, exitstatus: int) -> int:
        outcomes = {verdict.outcome for verdict in self.verdicts.values()}
        if self.misuse:
            return UsageError.exit_status
        if self.problems or Outcome.ERROR in outcomes or exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            return LabError.exit_status
        return int(outcomes != {Outcome.PASSED})

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if self.terminal and (self.report or self.misuse or self.problems):
            self.terminal.end(self.report, self.problems, self.misuse)


class _Terminal(TerminalReporter):  # type: ignore[misc]
    """Stands in for pytest's terminal reporter: a progress bar, then our report.

    With -vv pytest's own account of the failures follows, tracebacks included, for those who write checks.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        encoding.make_lenient(self._tw._file)
        self._out = terminal.console(self._tw._file, config.option.color)
        self._live = Live(self._out)
        self._interrupted = False

    def begin(self, collected: list[Check]) -> None:
        self._live.begin(collected)

    def done(self) -> None:
        self._live.done()

    def end(self, outcome: Report | None, problems: list[str], misuse: list[str]) -> None:
        if misuse or outcome is None:
            for text in misuse or problems:
                self._out.print(f"ERROR: {evidence.excerpt(text)}", soft_wrap=True)
            return
        terminal.render(
            self._out,
            outcome,
            course=report.load_course(self.config.rootpath),
            problems=problems,
            everything=self.config.option.verbose >= 1,
            interrupted=self._interrupted,
        )

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._live.running(nodeid.rpartition("::test_")[2])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.stats.setdefault("failed", []).append(report)

    def pytest_internalerror(self, excrepr: object) -> bool:
        if self.config.option.verbose >= 2:
            self._out.print(str(excrepr), soft_wrap=True)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> Generator[None, None, None]:
        yield
        self._live.end()
        if self.config.option.verbose >= 2:
            self.summary_errors()
            self.summary_failures()
        self._interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
        self._keyboardinterrupt_memo = None

    # What pytest would print on the way stays unprinted.

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_runtest_logfinish(self, nodeid: str) -> None: ...

    def pytest_collection(self) -> None: ...

    def pytest_collection_finish(self, session: pytest.Session) -> None: ...

    def report_collect(self, final: bool = False) -> None: ...

    def write_line(self, line: str | bytes, **markup: bool) -> None: ...


def _described(item: pytest.Item) -> Check:
    """The check that a collected test stands for; ValueError if it is none."""
    marker = item.get_closest_marker(checks.MARKER)
    if marker is None or not isinstance(item, pytest.Function):
        raise ValueError(f"{item.nodeid} is no check: it lacks @check(points=…, read=…)")
    return checks.describe(item.path.parent.name, item.path.stem, item.function, **marker.kwargs)


def _nothing_selected(config: pytest.Config) -> str:
    """A sentence about a run without any checks, and what to do about it."""
    wanted = config.option.keyword or config.option.markexpr
    where = " ".join(os.path.relpath(path, config.rootpath) for path in _paths(config))
    if not wanted:
        return f"There are no checks in {where}. Name a lab: pytest checks/lab01"
    try:
        names = {name.rpartition(".")[2]: name for name in manifest.load(config.rootpath)}
    except LabError:
        names = {}
    close = difflib.get_close_matches(wanted.rpartition(".")[2], names, n=3, cutoff=0.6)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"No check in {where} is called {wanted!r}.{meant} All names: pytest {where} --collect-only -q"


def _relative(folder: str, root: Path) -> str:
    path = Path(folder).resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
