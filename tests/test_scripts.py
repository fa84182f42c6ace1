"""A project's scripts, run to their end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import project, scripts
from labkit.evidence import CheckFailed, Journal, aside
from labkit.project import Project
from labkit.scripts import Ended


@pytest.fixture
def a_script(a_project: Callable[..., Path]) -> Callable[[str], Project]:
    """Makes a project with scripts/say.py."""

    def make(text: str) -> Project:
        folder = a_project("api: true")
        (folder / "scripts").mkdir()
        (folder / "scripts" / "say.py").write_text(text, encoding="utf-8")
        return project.load(folder)

    return make


def run(the_project: Project, *arguments: str, **options: object) -> Ended:
    return scripts.run(the_project, "say.py", *arguments, settings={"A": "b"}, **options)  # type: ignore[arg-type]


def test_its_streams_status_and_settings_are_told(a_script: Callable[[str], Project]) -> None:
    text = "import os, sys; print(sys.argv[1], os.environ['A']); print('hm', file=sys.stderr); sys.exit(3)"
    with aside(Journal()) as journal:
        ended = run(a_script(text), "it's; so")
    assert (ended.code, ended.out, ended.err) == (3, "it's; so b", "hm")
    assert ended.said == "it's; so b\nhm"
    assert str(ended) == "it exited with status 3:\nit's; so b\nhm"
    assert journal.did() == "python scripts/say.py it's; so"


def test_nobody_is_at_the_keyboard(a_script: Callable[[str], Project]) -> None:
    ended = run(a_script("print(input())"))
    assert "EOFError" in ended.err


def test_another_status_fails_the_check(a_script: Callable[[str], Project]) -> None:
    ended = run(a_script("raise SystemExit(1)"))
    assert ended.expect(1, "of it") is ended
    with pytest.raises(CheckFailed) as caught:
        ended.expect(0, "of say.py")
    assert caught.value.expected == "exit status 0 of say.py"
    assert caught.value.saw == "it exited with status 1 and printed nothing"


def test_a_traceback_fails_the_check_whatever_the_status(a_script: Callable[[str], Project]) -> None:
    ended = run(a_script("import nowhere_to_be_found"))
    with pytest.raises(CheckFailed, match="no traceback") as caught:
        ended.expect(1, "of it")
    assert caught.value.saw == "Traceback … ModuleNotFoundError: No module named 'nowhere_to_be_found'"


def test_json_is_one_object(a_script: Callable[[str], Project]) -> None:
    assert run(a_script("print('{\"a\": 1}')")).json == {"a": 1}


@pytest.mark.parametrize("out", ["[1]", "", "{", "{} {}", "[" * 50_000])
def test_anything_else_is_no_json(out: str) -> None:
    with pytest.raises(CheckFailed, match="one JSON object on stdout"):
        _ = Ended("say.py", 0, out, "", 0.1).json


def test_bytes_that_are_no_text(a_script: Callable[[str], Project]) -> None:
    ended = run(a_script(r"import sys; sys.stdout.buffer.write(b'\xff\xfe\x00x\n')"))
    assert ended.out == "\ufffd\ufffd\x00x"


def test_one_that_does_not_end_is_ended(a_script: Callable[[str], Project]) -> None:
    text = "import time; print('still here', flush=True); time.sleep(600)"
    began = time.monotonic()
    with pytest.raises(CheckFailed, match=r"say\.py to end within") as caught:
        run(a_script(text), within=0.7)
    assert caught.value.saw.startswith("it still runs")
    assert time.monotonic() - began < 60


def test_a_flood_is_survived(a_script: Callable[[str], Project]) -> None:
    with pytest.raises(CheckFailed, match="to end within"):
        run(a_script("while True: print('x' * 10_000)"), within=0.5)


def test_no_script(a_project: Callable[..., Path]) -> None:
    with pytest.raises(CheckFailed) as caught:
        run(project.load(a_project("api: true")))
    assert caught.value.expected == "a script scripts/say.py in the project"


def test_it_runs_in_any_folder(a_script: Callable[[str], Project], tmp_path: Path) -> None:
    the_project = a_script("import os, sys; print(os.getcwd()); print(sys.argv[0])")
    assert run(the_project).out.splitlines()[0] == str(the_project.folder)
    above = the_project.folder.parent
    ended = run(the_project, cwd=above, relative=True)
    assert ended.out.splitlines() == [str(above), f"{the_project.folder.name}/scripts/say.py"]


def test_nobody_reads_on(a_script: Callable[[str], Project]) -> None:
    ended = run(a_script("print('a', flush=True)"), closed_pipe=True)
    assert "BrokenPipeError" in ended.err
    with pytest.raises(CheckFailed, match="no traceback"):
        ended.without_traceback()
