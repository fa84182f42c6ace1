"""Everything that the checks need of pytest; the only file that knows pytest's hooks.

A run is a *graded* one when all its arguments lie in a checks/ folder. Only then do verdicts take the place
of pytest's own reports; every other pytest run in the same environment stays as it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from labkit import checks, deadlines, evidence, manifest, report
from labkit.checks import Check, Outcome
from labkit.errors import LabError
from labkit.evidence import Blocked, CheckFailed, Journal
from labkit.exports import terminal
from labkit.project import ProjectError
from labkit.report import Report, Verdict, verdict_from

PROPERTY = "labkit-verdict"
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
    if not _is_graded_run(config):
        return
    given = config.option.project
    folder = Path(config.invocation_params.dir, given) if given else config.rootpath / "project"
    config.option.project = str(folder)
    if not folder.is_dir():
        raise pytest.UsageError(
            f"There is no project folder at {folder}. Name the folder that holds the Procfile: --project DIR."
        )
    config.pluginmanager.register(_Run(config), "labkit-run")
    config.option.timeout = config.option.timeout or deadlines.scaled(_CHECK_S)
    config.option.timeout_method = "signal"


def _is_graded_run(config: pytest.Config) -> bool:
    root = config.rootpath / "checks"
    paths = [Path(config.invocation_params.dir, str(arg).split("::")[0]).resolve() for arg in config.args]
    return bool(paths) and all(path.is_relative_to(root) for path in paths)


class _Run:
    """One graded run: from the collected checks to the report."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.is_worker = hasattr(config, "workerinput")
        self.started = time.monotonic()
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self.verdicts: dict[str, Verdict] = {}
        self.problems: list[str] = []
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

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            marker = item.get_closest_marker(checks.MARKER)
            if marker is None or not isinstance(item, pytest.Function):
                raise pytest.UsageError(f"{item.nodeid} is no check: it lacks @check(points=…, read=…)")
            item.stash[_check_of] = checks.describe(
                item.path.parent.name, item.path.stem, item.function, **marker.kwargs
            )
        found = [item.stash[_check_of] for item in items]
        if self.config.option.write_manifest:
            manifest.write(self.config.rootpath, {check.id: check.points for check in found})

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if self.terminal and session.items:
            self.terminal.begin([item.stash[_check_of] for item in session.items])

    # -- a check -------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        with evidence.recording(Journal()) as journal:
            item.stash[_journal_of] = journal
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        result = yield
        if violations := pyfuncitem.stash[_journal_of].violations:
            raise CheckFailed(
                "every answer on the way to keep to openapi.yaml",
                "\n".join(f"{v.where}: {v.message}" for v in violations[:3]),
            )
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        test_report = yield
        failed = call.excinfo is not None
        if call.when == "call" or failed:
            error = call.excinfo.value if call.excinfo else None
            verdict = _judge(item.stash[_check_of], item.stash[_journal_of], error, call)
            before = item.stash.get(_verdict_of, None)
            if before is None or before.outcome == Outcome.PASSED:
                item.stash[_verdict_of] = verdict
        if call.when == "teardown":
            test_report.user_properties.append((PROPERTY, json.dumps(asdict(item.stash[_verdict_of]))))
        return test_report

    # -- after it, where all results come together ---------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, text in report.user_properties:
            if name == PROPERTY and report.when == "teardown":
                verdict = verdict_from(json.loads(str(text)))
                self.verdicts[verdict.id] = verdict
                if self.terminal:
                    self.terminal.done(verdict)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.problems.append(
                f"{report.nodeid} could not be loaded: {str(report.longrepr).splitlines()[-1]}"
            )

    def pytest_internalerror(self, excrepr: object) -> None:
        self.problems.append(str(excrepr).strip().splitlines()[-1])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.is_worker or self.config.option.collectonly or exitstatus == pytest.ExitCode.USAGE_ERROR:
            return
        option = self.config.option
        try:
            root = self.config.rootpath
            if option.graded:
                self.problems += manifest.deviations(root, self.verdicts.values())
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
        if self.problems or exitstatus != pytest.ExitCode.INTERRUPTED:
            session.exitstatus = self._exit_status(exitstatus)

    def _exit_status(self, exitstatus: int) -> int:
        outcomes = {verdict.outcome for verdict in self.verdicts.values()}
        if self.problems or Outcome.ERROR in outcomes or exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            return 3
        if not outcomes:
            return 4
        return int(outcomes != {Outcome.PASSED})

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if self.terminal and self.report:
            self.terminal.end(self.report, self.problems)


class _Terminal(TerminalReporter):  # type: ignore[misc]
    """Stands in for pytest's terminal reporter: a progress bar, then our report.

    With -vv pytest's own account of the failures follows, tracebacks included, for those who write checks.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        self._out = terminal.console(self._tw._file, config.option.color)
        self._live = terminal.Live(self._out)

    def begin(self, collected: list[Check]) -> None:
        self._live.begin(collected)

    def done(self, verdict: Verdict) -> None:
        self._live.done(verdict)

    def end(self, outcome: Report, problems: list[str]) -> None:
        terminal.render(
            self._out,
            outcome,
            course=report.load_course(self.config.rootpath),
            problems=problems,
            everything=self.config.option.verbose >= 1,
        )

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._live.running(nodeid.rpartition("::test_")[2])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.stats.setdefault("failed", []).append(report)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> Generator[None, None, None]:
        yield
        self._live.end()
        if self.config.option.verbose >= 2 or self.stats.get("error"):
            self.summary_errors()
            self.summary_failures()
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            self._out.print("\nInterrupted; this is how far the checks came.\n")
        self._keyboardinterrupt_memo = None

    # What pytest would print on the way stays unprinted.

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_runtest_logfinish(self, nodeid: str) -> None: ...

    def pytest_collection(self) -> None: ...

    def pytest_collection_finish(self, session: pytest.Session) -> None: ...

    def report_collect(self, final: bool = False) -> None: ...

    def write_line(self, line: str | bytes, **markup: bool) -> None: ...


def _relative(folder: str, root: Path) -> str:
    path = Path(folder).resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _judge(
    item: Check, journal: Journal, error: BaseException | None, call: pytest.CallInfo[None]
) -> Verdict:
    blocked_by, tell = None, ("", "")
    match error:
        case None:
            outcome = Outcome.PASSED
        case Blocked(by=by, cause=cause):
            outcome, blocked_by, tell = Outcome.BLOCKED, by, (cause.expected, cause.saw)
        case CheckFailed() | ProjectError():
            outcome, tell = Outcome.FAILED, (error.expected, error.saw)
        case pytest.fail.Exception() if "Timeout" in str(error):
            outcome = Outcome.FAILED
            tell = ("the whole check to take less than a minute", "it did not come to an end")
        case LabError():
            outcome, tell = Outcome.ERROR, ("the grader to work", str(error))
        case _:
            outcome = Outcome.ERROR
            tell = ("the grader to work", f"{type(error).__name__}: {evidence.shorten(str(error), 500)}")
    passed = outcome == Outcome.PASSED
    return Verdict(
        id=item.id,
        title=item.title,
        outcome=outcome,
        score=item.points if passed else 0.0,
        max_score=item.points,
        duration_s=round(call.duration, 3),
        did="" if passed else journal.did(),
        expected=tell[0],
        saw=tell[1],
        ask=item.ask,
        read=item.read,
        again=item.again,
        blocked_by=blocked_by,
        curl=() if passed else tuple(journal.curls()),
        log=() if passed else tuple(journal.log()),
    )
