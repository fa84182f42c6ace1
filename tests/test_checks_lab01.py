"""The checks of lab 01 on projects in memory: right ones, broken ones, and ones that break on the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from labkit import manifest

ROOT = Path(__file__).parent.parent
LAB01 = [name for name in manifest.load(ROOT) if name.startswith("lab01.")]
NO_FUZZ = ("--deselect", "checks/lab01/test_fuzz.py")
WITHOUT_FUZZ = [name for name in LAB01 if not name.startswith("lab01.fuzz.")]

MakeProject = Callable[..., Path]
CheckRun = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def variant(tmp_path: Path, single_file: Path) -> Callable[..., Path]:
    """The single-file project with a change: `variant(old, new)`, or with code in front of it."""

    def make(old: str = "", new: str = "", before: str = "") -> Path:
        folder = tmp_path / "variant"
        shutil.copytree(single_file, folder, ignore=shutil.ignore_patterns("__pycache__"))
        file = folder / "flowforge.py"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
        if before:
            (folder / "first.py").write_text(before, encoding="utf-8")
            (folder / "Procfile").write_text("api: python first.py\n")
        return folder

    return make


START = """
import os, signal, sys, threading
import flowforge
"""
SERVE = "\nsys.exit(flowforge.main())\n"


def outcomes(file: Path) -> dict[str, str]:
    table = json.loads(file.read_text(encoding="utf-8"))
    return {check["id"]: check["outcome"] for lab in table["labs"] for check in lab["checks"]}


# -- right ones --------------------------------------------------------------------------------------------


def test_a_right_project_passes_in_any_order(
    check_run: CheckRun, variant: Callable[..., Path], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    ended = check_run("--random-order", "--report", str(file), *NO_FUZZ, project=variant())
    assert ended.status == 0, ended.out
    assert list(outcomes(file)) == WITHOUT_FUZZ, "in the manifest's order, whatever the order they ran in"
    assert set(outcomes(file).values()) == {"passed"}


def test_a_right_project_passes_in_two_processes(
    check_run: CheckRun, variant: Callable[..., Path], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    ended = check_run("-n", "2", "--graded", "--report", str(file), project=variant())
    assert ended.status == 0, ended.out
    assert outcomes(file) == dict.fromkeys(LAB01, "passed")
    table = json.loads(file.read_text(encoding="utf-8"))
    assert (table["score"], table["max_score"]) == (20, 20)


# -- one defect --------------------------------------------------------------------------------------------


def test_one_defect_is_one_failure_on_one_screen(
    check_run: CheckRun, variant: Callable[..., Path], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    answer = 'return ok({"name": "flowforge", "version": VERSION, "environment": self.environment})'
    wrong = answer.replace("self.environment", '"elsewhere"')
    project = variant(answer, f'print("\\x1b]0;owned\\x07", flush=True); {wrong}')
    ended = check_run("--report", str(file), *NO_FUZZ, project=project)
    assert ended.status == 1
    wrong = [name for name, outcome in outcomes(file).items() if outcome != "passed"]
    assert wrong == ["lab01.service.info_names_the_environment"]
    lines = ended.out.splitlines()
    assert len(lines) <= 40, ended.out
    assert [line for line in lines if cell_len(line) > 80] == []
    assert ended.out.replace("\n", "").isprintable(), "no escape code comes through"
    assert lines[0].startswith("✗ lab01.service.info_names_the_environment ")
    assert "   log       \\x1b]0;owned\\x07" in lines
    for start in (
        "   we did    ",
        "   expected ",
        "   saw       200 ",
        "   ask ",
        "   read      labs/lab-01-",
    ):
        assert any(line.startswith(start) for line in lines), start
    assert "   again     pytest checks/lab01 -k info_names_the_environment" in lines
    assert "   paste     curl -i http://127.0.0.1:8080/info" in lines
    for hidden in ("Traceback", "def test_", "test_service.py", "assert"):
        assert hidden not in ended.out


# -- projects that do not start ----------------------------------------------------------------------------


def test_a_project_that_does_not_start_fails_once(
    check_run: CheckRun, a_project: MakeProject, tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    main = "import sys\nprint('reading settings', flush=True)\nimport flsk\n"
    ended = check_run("--graded", "--report", str(file), project=a_project("api: python main.py", main=main))
    assert ended.status == 1
    found = outcomes(file)
    assert found.pop("lab01.service.starts") == "failed"
    assert found == dict.fromkeys(LAB01[1:], "blocked")
    for line in (
        "   saw       it exited with status 1 ",
        "ModuleNotFoundError: No module named 'flsk'",
        f"◌ {len(LAB01) - 1} more wait for lab01.service.starts",
        "Next: pytest checks/lab01 -k starts",
    ):
        assert line in ended.out
    assert ended.out.count("✗") == 1
    assert len(ended.out.splitlines()) <= 25, ended.out
    table = json.loads(file.read_text(encoding="utf-8"))
    assert {check["blocked_by"] for check in table["labs"][0]["checks"][1:]} == {"lab01.service.starts"}


def test_a_blocked_check_alone_tells_the_cause(check_run: CheckRun, a_project: MakeProject) -> None:
    ended = check_run(
        "-k", "answers_201", project=a_project("api: python -c 'raise SystemExit(\"no port\")'")
    )
    assert ended.status == 1
    assert ended.says(
        "◌ lab01.create.answers_201",
        "until lab01.service.starts passes",
        "it exited with status 1",
        "no port",
    )


@pytest.mark.parametrize(
    ("procfile", "saw"),
    [
        (None, "no such file"),
        ("ap1: python main.py", "process types there: ap1 (is `ap1` a typo?)"),
        ("api: ./main.py", "'./main.py' is not executable; chmod +x ./main.py makes it so"),
    ],
    ids=["no Procfile", "typo", "not executable"],
)
def test_a_procfile_that_cannot_be_used(
    check_run: CheckRun, a_project: MakeProject, procfile: str | None, saw: str
) -> None:
    folder = a_project(procfile or "", main="#!/usr/bin/env python3\n")
    if procfile is None:
        (folder / "Procfile").unlink()
    ended = check_run("-k", "starts", project=folder)
    assert ended.status == 1
    assert ended.says("✗ lab01.service.starts", saw, "1 failed")


# -- projects that break on the way ------------------------------------------------------------------------


def test_a_project_that_dies_half_way_fails_the_check_that_kills_it(
    check_run: CheckRun, variant: Callable[..., Path], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    dies = "flowforge.Store.delete = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    project = variant(before=START + dies + SERVE)
    ended = check_run("-k", "delete or methods or says_its_name", "--report", str(file), project=project)
    assert ended.status == 1, ended.out
    found = outcomes(file)
    failed = {name for name, outcome in found.items() if outcome != "passed"}
    assert "lab01.delete.answers_204" in failed
    others = {name: found[name] for name in failed if "delete" not in name}
    assert not others, "the others get a service that runs"
    assert "error" not in found.values()
    assert ended.says("✗ lab01.delete.answers_204", "an answer to DELETE /tasks/", "the connection broke off")


def test_a_flood_of_output_and_escape_codes_change_nothing(
    check_run: CheckRun, variant: Callable[..., Path], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    flood = """
def flood():
    while True:
        os.write(1, b"\\x1b[2J\\x1b]0;owned\\x07" + b"x" * 60_000)
        os.write(2, b"y\\n" * 30_000)

threading.Thread(target=flood, daemon=True).start()
"""
    project = variant("self.environment})", '"elsewhere"})', before=START + flood + SERVE)
    ended = check_run("-k", "service or create", "--report", str(file), project=project)
    assert ended.status == 1, ended.out
    assert [name for name, outcome in outcomes(file).items() if outcome != "passed"] == [
        "lab01.service.info_names_the_environment"
    ]
    assert ended.out.replace("\n", "").isprintable()
    assert max(map(len, ended.out.splitlines())) <= 80


def test_a_project_that_ignores_sigterm_fails_and_is_gone(
    check_run: CheckRun, variant: Callable[..., Path]
) -> None:
    stubborn = "signal.signal = lambda *_: None\nflowforge.signal.signal = lambda *_: None\n"
    ignore = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    project = variant(before=ignore + START + stubborn + SERVE)
    ended = check_run("-k", "sigterm_ends_it", project=project)
    assert ended.status == 1
    assert ended.says("✗ lab01.service.sigterm_ends_it", "send SIGTERM to api", "it still runs")


# -- a PostgreSQL that cannot be had -----------------------------------------------------------------------


def test_no_postgresql_is_one_error_and_status_3(
    run: Any, variant: Callable[..., Path], tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    ended = run(
        *("pytest", "checks/lab01", "--graded", "--project", str(variant()), "--report", str(file)),
        *("--postgres", "postgresql://nobody@127.0.0.1:1/nothing"),
    )
    assert ended.status == 3
    assert ended.says(f"! {len(LAB01)} checks could not be run", "Start that server or correct the URL")
    assert ended.out.count("PostgreSQL at 127.0.0.1:1") == 1
    assert len(ended.out.splitlines()) <= 15
    assert set(outcomes(file).values()) == {"error"}


def test_a_postgresql_that_does_not_exist_is_wrong_usage(run: Any, variant: Callable[..., Path]) -> None:
    ended = run("pytest", "checks/lab01", "-k", "starts", "--project", str(variant()), "--postgres", "oracle")
    assert ended.status == 4
    assert ended.says("ERROR: There is no PostgreSQL called 'oracle'. Choose auto, embedded, docker, url")
    assert "✗" not in ended.out


def test_a_folder_that_the_embedded_server_cannot_use_is_status_3(
    run: Any, variant: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    ended = run(
        *("pytest", "checks/lab01", "-k", "starts", "--project", str(variant()), "--postgres", "embedded"),
        env={"LAB_STATE_DIR": str(tmp_path / "state")},
    )
    assert ended.status == 3
    assert ended.says("! lab01.service.starts", str(tmp_path / "state"), "is not a folder", "LAB_STATE_DIR")
