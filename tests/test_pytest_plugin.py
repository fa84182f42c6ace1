"""Runs of checks under pytest: outcomes, exit status, what is printed and what is not, and the count lock."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parent.parent
Soon = Callable[[Callable[[], object], str], None]

OUTCOMES = '''
    @pytest.fixture
    def broken():
        raise LabError("The disk is full.", "Make room.")

    @pytest.fixture
    def gone_afterwards():
        yield
        raise RuntimeError("teardown")

    @check(points=1, read=HANDOUT)
    def test_passes():
        """It passes.

        Why?
        """
        did("nothing much")

    @check(points=0.5, read=HANDOUT)
    def test_fails():
        """It fails.

        Why not?
        """
        secret_of_the_check = "SOURCE"
        did("GET /tasks", curl="curl -i http://127.0.0.1:8080/tasks")
        evidence.journal().logs.append(lambda: ["a line \\x1b[31mof the log"])
        expect(secret_of_the_check == "", "a 200 \\x1b[2J", "a 404")

    @check(points=0.5, read=HANDOUT)
    def test_projects_mistake():
        """It fails, too.

        Why not?
        """
        raise ProjectError("a Procfile", "none")

    @check(points=0.25, read=HANDOUT)
    def test_waits():
        """It waits.

        For whom?
        """
        raise Blocked("lab01.out.fails", CheckFailed("a 200", "a 404"))

    @check(points=0.25, read=HANDOUT)
    def test_trips():
        """It trips.

        Over what?
        """
        {}["missing"]

    @check(points=0.25, read=HANDOUT)
    def test_has_no_disk(broken):
        """It has no disk.

        Who has?
        """

    @check(points=0.125, read=HANDOUT)
    def test_is_skipped():
        """It is skipped.

        By whom?
        """
        pytest.skip("lazy")

    @check(points=0.125, read=HANDOUT)
    @pytest.mark.xfail
    def test_is_expected_to_fail():
        """It is expected to fail.

        By whom?
        """
        fail("a 200", "a 404")

    @check(points=0.25, read=HANDOUT)
    def test_leaves_a_mess(gone_afterwards):
        """It leaves a mess.

        For whom?
        """
'''


def one(name: str, body: str = "pass", points: float = 1, fixture: str = "") -> str:
    """The source of one check."""
    return f'''
@check(points={points:g}, read=HANDOUT)
def test_{name}({fixture}):
    """It holds: {name}.

    Why?
    """
    {body}
'''


# -- outcomes ----------------------------------------------------------------------------------------------


@pytest.fixture
def outcomes(course: Any) -> Any:
    """A course with a check for each way in which a check can end."""
    course.checks("out", OUTCOMES)
    return course


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_every_end_of_a_check_has_its_outcome(outcomes: Any, processes: tuple[str, ...]) -> None:
    ended, table = outcomes.report("checks/lab01", *processes)
    (lab,) = table["labs"]
    found = {check["id"].rpartition(".")[2]: check for check in lab["checks"]}
    assert {name: check["outcome"] for name, check in found.items()} == {
        "passes": "passed",
        "fails": "failed",
        "projects_mistake": "failed",
        "waits": "blocked",
        "trips": "error",
        "has_no_disk": "error",
        "is_skipped": "error",
        "is_expected_to_fail": "failed",
        "leaves_a_mess": "error",
    }
    assert (lab["score"], lab["max_score"], table["score"], table["max_score"]) == (1.0, 3.25, 1.0, 3.25)
    assert ended.status == 3
    fails = found["fails"]
    assert fails.pop("duration_s") >= 0
    assert fails == {
        "id": "lab01.out.fails",
        "title": "It fails",
        "outcome": "failed",
        "score": 0,
        "max_score": 0.5,
        "did": "GET /tasks",
        "expected": "a 200 \\x1b[2J",
        "saw": "a 404",
        "ask": "Why not?",
        "read": "labs/lab-01.md#one",
        "again": "pytest checks/lab01 -k fails",
        "blocked_by": None,
        "curl": ["curl -i http://127.0.0.1:8080/tasks"],
        "log": ["a line \\x1b[31mof the log"],
        "advice": [],
        "waits": [],
    }
    assert found["waits"]["blocked_by"] == "lab01.out.fails"
    assert found["has_no_disk"]["saw"] == "The disk is full.\nMake room."
    assert found["trips"]["saw"] == "KeyError: 'missing'"
    assert (found["passes"]["did"], found["passes"]["curl"]) == ("", [])
    assert (table["course"], table["project"], table["seed"]) == ("tiny", "project", 7)
    assert table["started_at"].endswith("Z")


def test_no_traceback_and_no_source_is_shown(outcomes: Any) -> None:
    ended = outcomes("checks/lab01")
    assert ended.says("✗ lab01.out.fails", "a 200 \\x1b[2J", "a line \\x1b[31mof the log", "Make room.")
    for hidden in ("\x1b", "SOURCE", "secret_of_the_check", "test_out.py", "def test_", ">   ", "E   ", "=="):
        assert hidden not in ended.out, hidden


def test_vv_brings_pytests_own_account_for_teachers(outcomes: Any) -> None:
    ended = outcomes("checks/lab01", "-vv")
    assert 'secret_of_the_check = "SOURCE"' in ended.out
    assert "test_out.py" in ended.out
    assert "✗ lab01.out.fails" in ended.out


def test_v_lists_every_check(outcomes: Any) -> None:
    ended = outcomes("checks/lab01", "-v")
    assert ended.says("✓ lab01.out.passes  It passes ")
    assert "SOURCE" not in ended.out


def test_colour_is_left_out_unless_it_is_asked_for(outcomes: Any) -> None:
    assert "\x1b" not in outcomes("checks/lab01", env={"TERM": "xterm-256color"}).out
    assert "\x1b[" in outcomes("checks/lab01", "--color=yes", env={"TERM": "xterm-256color"}).out


def test_ascii_terminals_get_ascii(outcomes: Any) -> None:
    ended = outcomes("checks/lab01", env={"PYTHONIOENCODING": "ascii"})
    assert ended.says("FAILED lab01.out.fails", "blocked 1 more waits for lab01.out.fails")
    assert ended.out.isascii()


@pytest.mark.parametrize(("body", "status"), [("pass", 0), ("fail('this', 'that')", 1)])
def test_exit_status(course: Any, body: str, status: int) -> None:
    course.checks("a", one("b", body))
    assert course("checks").status == status


def test_violations_of_the_contract_fail_a_check_that_passes_otherwise(course: Any) -> None:
    course.checks(
        "a",
        "from labkit.contract import Violation\n"
        + one("b", 'evidence.journal().violations.append(Violation("GET /x 200", "type", "a number"))'),
    )
    ended, table = course.report("checks")
    (check,) = table["labs"][0]["checks"]
    assert (ended.status, check["outcome"], check["saw"]) == (1, "failed", "GET /x 200: a number")


def test_a_check_that_hangs_fails(course: Any) -> None:
    course.checks("a", one("hangs", "did('GET /tasks')\n    time.sleep(600)") + one("other"))
    (course.root / "conftest.py").write_text(
        "from labkit import pytest_plugin\npytest_plugin._CHECK_S = 0.2\n"
    )
    ended, table = course.report("checks")
    hangs, other = table["labs"][0]["checks"]
    assert (ended.status, hangs["outcome"], other["outcome"]) == (1, "failed", "passed")
    assert hangs["saw"] == "it did not come to an end"
    assert hangs["did"] == "GET /tasks"
    assert "Traceback" not in ended.out
    assert "Stack of" not in ended.out


def test_a_fixture_that_hangs_fails_the_checks_that_ask_for_it(course: Any) -> None:
    """The grader is not at fault when the next check asks for the same fixture."""
    course.checks("a", one("b", fixture="slow") + one("c", fixture="slow") + one("other"))
    (course.root / "conftest.py").write_text(
        "import time\nimport pytest\nfrom labkit import pytest_plugin\npytest_plugin._CHECK_S = 0.2\n"
        "@pytest.fixture\ndef slow():\n    time.sleep(600)\n"
    )
    ended, table = course.report("checks")
    verdicts = [(check["outcome"], check["saw"]) for check in table["labs"][0]["checks"]]
    assert verdicts == [("failed", "it did not come to an end")] * 2 + [("passed", "")]
    assert ended.status == 1


def test_in_a_terminal_there_is_a_progress_bar_and_colour(course: Any) -> None:
    course.checks("a", one("b") + one("c", "fail('this', 'that')"))
    upper, lower = pty.openpty()
    environment = course.run.environment(TERM="xterm-256color", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    process = subprocess.Popen(
        ["pytest", "checks", "-plabkit.pytest_plugin", "-pno:cacheprovider"],
        cwd=course.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=lower,
        stderr=lower,
    )
    os.close(lower)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the terminal was closed
        while chunk := os.read(upper, 65_536):
            shown += chunk
    os.close(upper)
    assert process.wait(30) == 1
    text = shown.decode()
    for progress in ("0/2", "2/2"):
        assert progress in text
    report = text[text.rindex("✗ lab01.a.c") - 20 :]
    assert "\x1b[1;31m✗ lab01.a.c" in report
    assert "2/2" not in report, "the bar is gone when the report comes"


# -- what is selected --------------------------------------------------------------------------------------


def test_a_check_is_selected_by_its_name_or_its_id(course: Any) -> None:
    course.checks("read", one("answers"))
    course.checks("replace", one("answers") + one("answers_twice"))
    course.manifest()
    for wanted, ids in (
        ("answers_twice", ["lab01.replace.answers_twice"]),
        ("read.answers", ["lab01.read.answers"]),
        ("lab01.read.answers", ["lab01.read.answers"]),
    ):
        _, table = course.report("checks/lab01", "-k", wanted)
        assert [check["id"] for lab in table["labs"] for check in lab["checks"]] == ids


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_nothing_selected_is_wrong_usage(course: Any, processes: tuple[str, ...]) -> None:
    course.checks("read", one("answers_200") + one("answers_404"))
    course.manifest()
    ended = course("checks/lab01", "-k", "answer_200", *processes)
    assert ended.status == 4
    assert ended.says(
        "ERROR: No check in checks/lab01 is called 'answer_200'. Did you mean answers_200",
        "All names: pytest checks/lab01 --collect-only -q",
    )
    assert "passed" not in ended.out


def test_an_expression_that_is_none(course: Any) -> None:
    course.checks("a", one("b"))
    ended = course("checks/lab01", "-k", "a b (")
    assert ended.status == 4
    assert ended.says("ERROR: Wrong expression passed to '-k': a b (")


def test_a_lab_without_checks(course: Any) -> None:
    ended = course("checks/lab01")
    assert ended.status == 4
    assert ended.says("There are no checks in checks/lab01. Name a lab: pytest checks/lab01")


def test_a_lab_that_is_not_there(course: Any) -> None:
    ended = course("checks/lab09")
    assert ended.status == 4
    assert ended.says("ERROR: file or directory not found: checks/lab09")


def test_a_project_that_is_not_there(course: Any) -> None:
    course.checks("a", one("b"))
    for folder in ("nowhere", "labs/course.toml"):
        ended = course("checks/lab01", "--project", folder)
        assert ended.status == 4
        assert ended.says(
            f"ERROR: There is no project folder at {course.root / folder}.",
            "Name the folder that holds the Procfile: --project DIR",
        )


def test_a_report_that_cannot_be_written_is_known_before_anything_runs(course: Any) -> None:
    course.checks("a", one("b", "Path('ran').touch()"))
    for place, reason in ((".", "it is a folder"), ("pyproject.toml/report.json", "")):
        ended = course("checks/lab01", "--report", place)
        assert ended.status == 4
        assert ended.says(f"ERROR: A report cannot be written to {course.root / place}", reason)
    assert not (course.root / "ran").exists()
    assert course("checks/lab01", "--report", "new/folder/report.json").status == 0
    assert json.loads((course.root / "new" / "folder" / "report.json").read_text())["schema"] == 1


def test_wrong_options(course: Any) -> None:
    course.checks("a", one("b"))
    for option in ("--nonsense", "--lab-seed=x"):
        ended = course("checks/lab01", option)
        assert ended.status == 4
        assert ended.says(option.partition("=")[0])


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_wrong_usage_that_shows_later(course: Any, processes: tuple[str, ...]) -> None:
    course.checks(
        "a", one("b", 'raise UsageError("There is no PostgreSQL called x.", "Choose auto.")') + one("c")
    )
    ended = course("checks/lab01", *processes)
    assert ended.status == 4
    assert ended.out.strip() == "ERROR: There is no PostgreSQL called x.\nChoose auto."


def test_an_error_that_all_share_is_shown_once(course: Any) -> None:
    body = 'raise LabError("PostgreSQL cannot start.", "Make room.")'
    course.checks("a", "".join(one(f"n{number}", body) for number in range(30)))
    ended = course("checks/lab01")
    assert ended.status == 3
    assert ended.says("! 30 checks could not be run", "no points are lost by it")
    assert ended.out.count("PostgreSQL cannot start.") == 1
    assert len(ended.out.splitlines()) < 10


# -- other runs of pytest in the same environment ----------------------------------------------------------


def test_other_runs_stay_as_they_are_and_leave_the_checks_out(course: Any) -> None:
    course.checks("a", one("b", "fail('this', 'that')"))
    (course.root / "project" / "test_mine.py").write_text("def test_mine():\n    assert True\n")
    for arguments in ((), (".",), ("project",)):
        ended = course(*arguments)
        assert ended.status == 0, ended.out
        assert ended.says("1 passed in")


def test_checks_and_other_tests_do_not_mix(course: Any) -> None:
    course.checks("a", one("b"))
    (course.root / "project" / "test_mine.py").write_text("def test_mine():\n    assert True\n")
    ended = course("checks/lab01", "project")
    assert ended.status == 4
    assert ended.says(
        "Checks and other tests cannot run together. Run the checks by themselves: pytest checks"
    )


# -- the grader's own mistakes -----------------------------------------------------------------------------


def test_a_file_of_checks_that_cannot_be_loaded(course: Any) -> None:
    course.checks("a", one("b"))
    course.checks("broken", "def (:\n")
    ended = course("checks/lab01")
    assert ended.status == 3
    assert ended.says("checks/lab01/test_broken.py could not be loaded", "SyntaxError")


def test_a_test_that_is_no_check(course: Any) -> None:
    course.checks("a", one("b") + "\ndef test_stray():\n    pass\n")
    ended = course("checks/lab01")
    assert ended.status == 4
    assert ended.says(
        "ERROR: checks/lab01/test_a.py::test_stray is no check: it lacks @check(points=…, read=…)"
    )


@pytest.mark.parametrize(
    "docstring", ["Only what holds.", "What holds.\n\n    No question.", "A.\n\n    B?\n\n    C?"]
)
def test_a_check_without_a_question(course: Any, docstring: str) -> None:
    course.checks("a", f'@check(points=1, read=HANDOUT)\ndef test_b():\n    """{docstring}"""\n')
    ended = course("checks/lab01")
    assert ended.status == 4
    assert ended.says("test_a::test_b: a check's docstring has two paragraphs")


def test_a_process_that_dies_under_a_check_is_no_gain(course: Any) -> None:
    course.checks("a", one("a") + one("b", "os._exit(0)") + one("c"))
    ended, table = course.report("checks/lab01", "-n", "1", "--max-worker-restart", "1")
    assert ended.status == 3
    assert ended.says("checks/lab01/test_a.py::test_b: the process that ran this check died.")
    assert [check["id"] for check in table["labs"][0]["checks"]] == ["lab01.a.a", "lab01.a.c"]


def test_a_lab_stays_in_one_process(course: Any) -> None:
    note = "Path(pytestconfig.rootpath, f'{os.environ[\"PYTEST_XDIST_WORKER\"]}-lab0{N}').touch()"
    for lab in "12":
        named = note.replace("N", lab)
        checks = "".join(
            f"@check(points=1, read=HANDOUT)\ndef test_{name}(pytestconfig):\n"
            f'    """Holds.\n\n    Does it?\n    """\n    {named}\n'
            for name in "abcd"
        )
        course.checks("a", checks, lab=f"lab0{lab}")
    assert course("checks", "-n", "2").status == 0
    assert len(list(course.root.glob("gw?-lab01"))) == 1
    assert len(list(course.root.glob("gw?-lab02"))) == 1
    assert len({file.name[:3] for file in course.root.glob("gw?-lab0?")}) == 2


def test_a_course_that_cannot_be_read_is_the_graders_fault(course: Any) -> None:
    course.checks("a", one("b"))
    (course.root / "labs" / "course.toml").write_text("name = ")
    ended = course("checks/lab01")
    assert ended.status == 3
    assert ended.says("course.toml cannot be read", "Restore it: git checkout labs/course.toml")


# -- the count lock ----------------------------------------------------------------------------------------


@pytest.fixture
def locked(course: Any) -> Any:
    """A course of two labs with a manifest."""
    course.checks("a", one("one") + one("two", "fail('this', 'that')", points=2))
    course.checks("b", one("three"), lab="lab02")
    assert course.manifest().status == 0
    return course


def test_a_graded_run_that_is_complete(locked: Any) -> None:
    ended, table = locked.report("checks", "--graded")
    assert (ended.status, table["score"], table["max_score"]) == (1, 2, 4)
    assert "grader" not in ended.out


LOST = "In checks/manifest.json, but did not run: lab01.a.two."


@pytest.mark.parametrize(
    ("source", "arguments", "sentence"),
    [
        (one("one"), (), LOST),
        (one("one") + one("two", points=2), ("--deselect", "checks/lab01/test_a.py::test_two"), LOST),
        (one("one") + one("two", points=2), ("-k", "one or three"), LOST),
        (
            one("one") + one("two", points=2) + one("more"),
            (),
            "Ran, but not in checks/manifest.json: lab01.a.more.",
        ),
        (
            one("one") + one("two", points=20),
            (),
            "Worth other points than checks/manifest.json says: lab01.a.two",
        ),
    ],
    ids=["deleted", "deselected", "not named", "added", "dearer"],
)
def test_a_graded_run_that_is_not_as_the_manifest_says(
    locked: Any, source: str, arguments: tuple[str, ...], sentence: str
) -> None:
    locked.checks("a", source)
    ended = locked("checks", "--graded", *arguments)
    assert ended.status == 3
    assert ended.says(sentence, "Bring checks/ back to how it was handed out: git checkout checks/")


def test_a_graded_run_in_which_a_check_is_skipped(locked: Any) -> None:
    locked.checks("a", one("one") + "@pytest.mark.skip(reason='hard')" + one("two", points=2))
    ended = locked("checks/lab01", "--graded")
    assert ended.status == 3
    assert ended.says("lab01.a.two", "Skipped: hard")


def test_a_graded_run_of_all_labs_misses_a_lab_that_is_gone(locked: Any) -> None:
    (locked.root / "checks" / "lab02" / "test_b.py").unlink()
    assert locked("checks/lab01", "--graded").status == 1
    ended = locked("checks", "--graded")
    assert ended.status == 3
    assert ended.says("In checks/manifest.json, but did not run: lab02.b.three.")


def test_without_graded_a_part_is_fine(locked: Any) -> None:
    assert locked("checks/lab01", "-k", "one").status == 0


# -- a run that is stopped ---------------------------------------------------------------------------------

SERVES = '''
    from labkit import project, services

    @pytest.fixture(scope="session")
    def api():
        folder = Path(os.environ["TEST_PROJECT"])
        service = services.start(project.load(folder), "api", {})
        yield service
        service.kill()
        (folder / "torn down").touch()

    @check(points=1, read=HANDOUT)
    def test_first(api):
        """First.

        Why?
        """

    @check(points=1, read=HANDOUT)
    def test_second(api):
        """Second.

        Why?
        """
        Path(os.environ["TEST_PROJECT"], "second").touch()
        time.sleep(600)
'''


@pytest.fixture
def under_way(
    course: Any, soon: Soon, nothing_left: None
) -> Callable[..., tuple[subprocess.Popen[bytes], Path]]:
    """A run in the middle of its second check, with a service running."""
    course.checks("a", SERVES)
    folder = course.root / "project"
    (folder / "Procfile").write_text("api: python -S -c 'import time; time.sleep(600)'\n")

    def start(*arguments: str, before: Sequence[str] = ()) -> tuple[subprocess.Popen[bytes], Path]:
        process = course.run.start(
            *(*before, "pytest", "checks/lab01", "-plabkit.pytest_plugin", "-pno:cacheprovider", *arguments),
            cwd=course.root,
            env={"TEST_PROJECT": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        soon(lambda: (folder / "second").exists() or process.poll() is not None, "the second check running")
        assert process.poll() is None, process.communicate()
        return process, folder

    return start


def test_a_run_in_the_background_starts_services_that_obey_ctrl_c(under_way: Any, soon: Soon) -> None:
    process, _ = under_way(before=("sh", "-c", 'trap "" INT; exec "$@"', "sh"))
    [service] = [
        child for child in psutil.Process(process.pid).children() if "time.sleep(600)" in child.cmdline()[-1]
    ]
    service.send_signal(signal.SIGINT)
    soon(lambda: not service.is_running() or service.status() == psutil.STATUS_ZOMBIE, "the service's end")
    process.kill()
    process.communicate(timeout=30)


def test_ctrl_c_ends_everything_and_shows_what_came_so_far(under_way: Any) -> None:
    process, folder = under_way("--graded", "--report", "report.json")
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=30)[0].decode()
    assert process.returncode not in (0, 1)
    assert "✓ lab01.a.first" in out
    assert "Interrupted: this is how far the checks came." in out
    assert "Traceback" not in out
    assert "KeyboardInterrupt" not in out
    assert "did not run" not in out
    assert (folder / "torn down").exists()
    table = json.loads((folder.parent / "report.json").read_text())
    assert [check["id"] for check in table["labs"][0]["checks"]] == ["lab01.a.first"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed_leaves_no_service(under_way: Any, number: signal.Signals) -> None:
    process, folder = under_way()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == -number
    assert not (folder / "torn down").exists()
