"""What the tests of labkit share: commands run as a user runs them, and small projects and courses."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from labkit import report
from labkit.checks import Outcome
from labkit.report import Report, Verdict

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(sys.executable).parent
MARK = "LABKIT_TEST_RUN"
"""An environment variable by which a test finds the processes that its command left behind."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit status, and all that it printed."""

    status: int
    out: str

    def says(self, *parts: str) -> bool:
        """Whether each part is in the output, however that breaks its lines; and no traceback is."""
        flat = "".join(self.out.split())
        missing = [part for part in parts if "".join(part.split()) not in flat]
        assert not missing, f"{missing} not in\n{self.out}"
        assert "Traceback" not in self.out, self.out
        return True


@dataclass
class Runner:
    """Runs commands of this repository; `home` is the test's own folder."""

    mark: str
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a terminal that nobody has set up in a special way."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST", "COV_", "LAB_POSTGRES_URL", "DATABASE_URL", "API_"))
            and name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "CI")
        }
        path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, MARK: self.mark, **more}

    def start(self, *command: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None, **options: Any):
        """Start a command; the caller ends it."""
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=self.environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **options,
        )

    def __call__(self, *command: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> Ended:
        """Run a command to its end."""
        process = self.start(*command, cwd=cwd, env=env)
        try:
            out, _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Ended(process.returncode, out.decode("utf-8", "replace"))

    def left(self) -> list[str]:
        """The command lines of processes that commands of this runner have left behind: those that know its
        mark, and those that work in the test's own folder (a project's processes know nothing of ours)."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get(MARK) == self.mark
                if ours or Path(process.cwd()).is_relative_to(self.home):
                    found.append(" ".join(process.cmdline()))
            except (psutil.Error, OSError):
                continue
        return [line for line in found if "postgres" not in line]  # that one is kept on purpose


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """Runs a command in the repository's root and returns its status and output."""
    return Runner(secrets.token_hex(8), tmp_path)


@pytest.fixture
def check_run(run: Runner) -> Callable[..., Ended]:
    """Runs pytest over real checks, without any PostgreSQL: for projects that need none."""

    def checks(*arguments: str, project: Path | str, folder: str = "checks/lab01") -> Ended:
        return run(
            *("pytest", folder, "-p", "no_postgres", "--project", str(project), *arguments),
            env={"PYTHONPATH": str(ROOT / "tests" / "plugins")},
        )

    return checks


@pytest.fixture(scope="session")
def single_file() -> Path:
    """A project that does all of lab 01 without a database."""
    return ROOT / "specimens" / "accepted" / "single_file"


@pytest.fixture
def a_project(tmp_path: Path) -> Callable[..., Path]:
    """Makes a project: `a_project("api: python main.py", main="…")`; files get the suffix .py."""

    def make(procfile: str | bytes, name: str = "broken", **files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        content = procfile.encode() if isinstance(procfile, str) else procfile
        (folder / "Procfile").write_bytes(content)
        for stem, text in files.items():
            (folder / f"{stem}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return folder

    return make


@dataclass(frozen=True)
class Course:
    """A repository with checks of its own, to see what labkit makes of them."""

    root: Path
    run: Runner

    def checks(self, file: str, text: str, lab: str = "lab01") -> None:
        """Write checks/<lab>/test_<file>.py; `check` and what checks use is imported."""
        folder = self.root / "checks" / lab
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"test_{file}.py").write_text(_IMPORTS + textwrap.dedent(text), encoding="utf-8")

    def manifest(self, *options: str) -> Ended:
        """Make the manifest of all that is there."""
        return self("checks", "--collect-only", "-q", "--write-manifest", *options)

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run pytest in it, with no more plugins than it needs: they cost half the time."""
        plugins = ["-plabkit.pytest_plugin", *(["-pxdist.plugin"] if "-n" in arguments else [])]
        quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(env or {})}
        return self.run("pytest", *plugins, "-pno:cacheprovider", *arguments, cwd=self.root, env=quick)

    def report(self, *arguments: str) -> tuple[Ended, dict[str, Any]]:
        """Run pytest in it and read the report."""
        file = self.root / "report.json"
        ended = self(*arguments, "--report", str(file))
        assert file.exists(), ended.out
        return ended, json.loads(file.read_text(encoding="utf-8"))


_IMPORTS = """\
import os
import signal
import time
from pathlib import Path
import pytest
from labkit import evidence
from labkit.checks import check
from labkit.errors import LabError, UsageError
from labkit.evidence import Blocked, CheckFailed, did, expect, fail
from labkit.project import ProjectError

HANDOUT = "lab-01.md#one"
"""


@pytest.fixture
def course(tmp_path: Path, run: Runner) -> Course:
    """An empty course with a project folder in it."""
    root = tmp_path / "course"
    for folder in ("checks/lab01", "labs", "project"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n')
    (root / "labs" / "course.toml").write_text(
        'name = "tiny"\ntitle = "Tiny"\n[[labs]]\nid = "lab01"\ntitle = "First"\npoints = 3\n'
        'handout = "labs/lab-01.md"\n[[labs]]\nid = "lab02"\ntitle = "Second"\npoints = 1\n'
        'handout = "labs/lab-02.md"\n',
        encoding="utf-8",
    )
    (root / "labs" / "lab-02.md").write_text("# Second\n")
    (root / "project" / "Procfile").write_text("api: true\n")
    return Course(root, run)


GREETINGS = '''
    @pytest.fixture
    def words(pytestconfig):
        return Path(pytestconfig.option.project, "words.txt").read_text().split()

    @check(points=2, read=HANDOUT)
    def test_greets(words):
        """It greets.

        How?
        """
        expect(words[:1] == ["hello"], "hello", words[:1])
        if "crash" in words:
            {}["the grader's own mistake"]

    @check(points=1, read=HANDOUT)
    def test_says_goodbye(words):
        """It says goodbye.

        When?
        """
        if words[:1] != ["hello"]:
            raise Blocked("lab01.a.greets", CheckFailed("hello", words[:1]))
        expect(words[-1:] == ["goodbye"], "goodbye", words[-1:])
'''


@pytest.fixture
def proving(course: Course, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a repository with these checks, the first of its labs, that `lab prove` can be run on here."""

    def make(checks: str) -> Path:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p labkit.pytest_plugin")
        course.checks("a", checks)
        course.manifest()
        return course.root

    return make


@pytest.fixture
def greetings(proving: Callable[[str], Path]) -> Path:
    """A repository with two checks of a few words, a reference that passes them, and no other specimen."""
    root = proving(GREETINGS)
    for folder in ("project", "specimens/accepted", "specimens/wrong"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "project" / "words.txt").write_text("hello\nworld\ngoodbye\n")
    return root


@pytest.fixture
def a_verdict() -> Callable[..., Verdict]:
    """Makes a verdict: `a_verdict("lab01.read.answers_200", "failed", saw="…")`."""

    def make(name: str = "lab01.read.answers_200", outcome: str = "passed", **fields: Any) -> Verdict:
        lab, _, check = name.split(".")
        texts = {
            "title": "A task that was created can be read",
            "did": "" if outcome == "passed" else "GET /tasks/7",
            "expected": "" if outcome == "passed" else "200",
            "saw": "" if outcome == "passed" else "404",
            "ask": "Where did it go?",
            "read": f"labs/{lab}.md#reading",
            "again": f"pytest checks/{lab} -k {check}",
        }
        points = {"score": 0.2 if outcome == "passed" else 0.0, "max_score": 0.2, "duration_s": 0.125}
        return Verdict(**{"id": name, "outcome": Outcome(outcome), **texts, **points, **fields})

    return make


@pytest.fixture
def a_report() -> Callable[..., Report]:
    """Makes a report of verdicts on the real course."""

    def make(*verdicts: Verdict) -> Report:
        return report.compose(
            verdicts,
            report.load_course(ROOT),
            project="project",
            seed=7,
            started_at="2026-01-02T03:04:05Z",
            duration_s=12.345,
        )

    return make


@pytest.fixture
def soon() -> Callable[[Callable[[], object], str], None]:
    """Waits until something is true; fails with the given sentence if that takes half a minute."""

    def wait(probe: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 30
        while not probe():
            assert time.monotonic() < deadline, f"not within 30 s: {what}"
            time.sleep(0.02)

    return wait


@pytest.fixture
def nothing_left(run: Runner, soon: Callable[[Callable[[], object], str], None]) -> Iterator[None]:
    """Fails a test whose commands leave processes behind."""
    yield
    soon(lambda: not run.left(), f"processes of the run gone, still there: {run.left()}")
