"""`lab …`: what is said to those who mistype, and that every command hands on what it is told."""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from labkit import cli, postgres, report
from labkit.errors import LabError
from labkit.report import Report, Verdict

ROOT = Path(__file__).parent.parent


@pytest.fixture
def lab(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs a command in this process; its status and all that it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["lab", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return int(ended.value.code or 0), " ".join((printed.out + printed.err).split())

    return run


Lab = Callable[..., tuple[int, str]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["chek"], "No such command 'chek'."),
        (["check", "--nonsense"], "No such option: --nonsense"),
        (["check", "1", "2"], "unexpected extra argument"),
        (["check", "-n", "x"], "Invalid value for '-n'"),
        (["check", "-k"], "-k"),
        (["check", "9"], "There are no checks for lab 9. There are: lab01"),
        (["check", "²"], "There are no checks for lab ²."),
        (["check", "../tests"], "There are no checks for lab ../tests."),
        (["check", ""], "There are no checks for lab ."),
        (["up", "--project", "/nowhere"], "There is no project folder at /nowhere. Name the folder"),
        (["starter"], "Missing argument"),
        (["report"], "Missing argument 'FILE'."),
        (["report", "/nowhere.json"], "/nowhere.json cannot be read: no such file or directory."),
        (
            ["report", "README.md"],
            "README.md is not a report: it is not JSON. Make one with: lab check --report",
        ),
        (["prove", "nonesuch"], "No specimen is called nonesuch. Known ones: reference, starter,"),
    ],
)
def test_wrong_usage_is_a_sentence_and_status_4(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(ROOT)
    status, out = lab(*arguments)
    assert status == 4
    assert out.startswith("lab: ")
    assert sentence in out


def test_no_command_shows_what_there_is(lab: Lab) -> None:
    status, out = lab()
    assert status == 4
    for command in ("check", "up", "down", "starter", "prove", "report"):
        assert f" {command} " in out


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["check", "--help"]])
def test_help(lab: Lab, arguments: list[str]) -> None:
    status, out = lab(*arguments)
    assert status == 0
    assert "Usage: lab" in out


def test_a_problem_of_the_grader_is_status_3(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> bool:
        raise LabError("The folder cannot be used.", "Name another one.")

    monkeypatch.setattr(postgres, "stop_shared", stop)
    assert lab("down") == (3, "lab: The folder cannot be used. Name another one.")


def test_down_says_what_it_did(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "stop_shared", lambda: True)
    assert lab("down") == (0, "lab: PostgreSQL stopped.")
    monkeypatch.setattr(postgres, "stop_shared", lambda: False)
    assert lab("down") == (0, "lab: No PostgreSQL of ours was running.")


def test_ctrl_c_is_no_traceback(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(postgres, "stop_shared", stop)
    assert lab("down")[0] == 130


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["checks", "--graded"]),
        (["1"], ["checks/lab01", "--graded"]),
        (["01"], ["checks/lab01", "--graded"]),
        (["lab01"], ["checks/lab01", "--graded"]),
        (["1", "-k", "starts", "-vv", "-n", "2"], ["checks/lab01", "-k", "starts", "-vv", "-n", "2"]),
        (["1", "--postgres", "docker"], ["checks/lab01", "--postgres", "docker", "--graded"]),
    ],
)
def test_check_hands_on_what_it_is_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], expected: list[str]
) -> None:
    seen: list[str] = []

    def main(handed: list[str]) -> int:
        seen.extend(handed)
        return 1

    monkeypatch.setattr(pytest, "main", main)
    monkeypatch.chdir(tmp_path)
    assert lab("check", *arguments, "--project", "mine", "--report", "r.json")[0] == 1
    folder, *others = expected
    assert str(ROOT / folder) in seen
    assert set(others) <= set(seen)
    assert ("--graded" in seen) is ("--graded" in others)
    assert seen[seen.index("--project") + 1] == str(tmp_path / "mine")
    assert seen[seen.index("--report") + 1] == str(tmp_path / "r.json")


def test_a_database_to_play_with_is_the_same_tomorrow(lab: Lab) -> None:
    name = f"play_{secrets.token_hex(4)}"
    status, url = lab("database", name)
    assert status == 0
    try:
        with psycopg.connect(url.strip(), autocommit=True) as connection:
            connection.execute("CREATE TABLE tasks (title text)")
            rights = "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
            assert connection.execute(rights).fetchone() == (False, False)
        assert lab("database", name) == (0, url)
    finally:
        server = postgres.open_server("auto")
        with psycopg.connect(server.admin_url, autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE {}").format(Identifier(name)))
            connection.execute(SQL("DROP ROLE {}").format(Identifier(name)))
        server.close()


@pytest.mark.parametrize("name", ["lab_1", "Mine", "a b", "1st", "a" * 60, "x;y"])
def test_a_database_needs_a_name(lab: Lab, name: str) -> None:
    status, out = lab("database", name)
    assert status == 4
    assert "is no name for a database" in out


def test_a_stored_report_in_another_form(
    lab: Lab, tmp_path: Path, a_verdict: Callable[..., Verdict], a_report: Callable[..., Report]
) -> None:
    file = tmp_path / "report.json"
    report.save(a_report(a_verdict("lab01.a.b", "failed", saw="a \x1b[2J thing")), file)
    status, out = lab("report", str(file))
    assert status == 0
    assert out.startswith("✗ lab01.a.b")
    assert "\x1b" not in out
    status, out = lab("report", str(file), "--as", "markdown")
    assert status == 0
    assert out.startswith("# 0 of 0.2 points")
    status, out = lab("report", str(file), "--as", "word")
    assert (status, out) == (4, "lab: There is no form 'word'. There are: terminal, markdown")


def test_the_whole_way_from_another_folder(run: Any, tmp_path: Path, single_file: Path) -> None:
    file = tmp_path / "report.json"
    ended = run(
        *("lab", "check", "1", "-k", "starts", "--project", str(single_file), "--report", str(file)),
        cwd=tmp_path,
    )
    assert ended.status == 0, ended.out
    assert ended.says("✓ lab01.service.starts", "1 passed")
    assert json.loads(file.read_text())["labs"][0]["checks"][0]["outcome"] == "passed"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_ascii_terminals_are_no_problem(
    run: Any, tmp_path: Path, a_verdict: Callable[..., Verdict], a_report: Callable[..., Report]
) -> None:
    file = tmp_path / "report.json"
    report.save(a_report(a_verdict("lab01.a.b", "failed")), file)
    for form, begin in (("terminal", "FAILED lab01.a.b"), ("markdown", "# 0 of 0.2 points")):
        ended = run("lab", "report", str(file), "--as", form, env={"PYTHONIOENCODING": "ascii"})
        assert ended.status == 0, ended.out
        assert ended.out.startswith(begin)


def test_a_proof_that_is_told_to_stop_leaves_no_run_of_the_checks(
    run: Any, soon: Callable[[Callable[[], object], str], None], nothing_left: None
) -> None:
    process = run.start("lab", "prove", "single_file", "reference", "-n", "2")
    us = psutil.Process(process.pid)

    def runs_of_checks() -> list[psutil.Process]:
        return [child for child in us.children() if "--report" in child.cmdline()]

    soon(lambda: len(runs_of_checks()) == 2, "both runs under way")
    begun = runs_of_checks()
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert b"Traceback" not in said
    assert not [child for child in begun if child.is_running()]
