"""A project's folder and Procfile: what is read, and what is said about those that cannot be."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import project
from labkit.errors import UsageError
from labkit.project import ProjectError

MakeProject = Callable[..., Path]


@pytest.mark.parametrize(
    ("procfile", "words"),
    [
        ("api: python -m api_service\n", ["python", "-m", "api_service"]),
        ("api:python main.py", ["python", "main.py"]),
        ("# a comment\n\n  api :  node 'my file.js' \"a b\" c\\ d\r\n", ["node", "my file.js", "a b", "c d"]),
        ("\ufeffapi: python main.py\n", ["python", "main.py"]),
        (
            "worker: python w.py\napi: ./serve --url http://x/?a=1&b=2",
            ["./serve", "--url", "http://x/?a=1&b=2"],
        ),
        # What a shell would do is no matter where the command itself is a shell, or where it is quoted.
        (
            "api: sh -c 'cd src && exec ./serve --port $API_PORT'",
            ["sh", "-c", "cd src && exec ./serve --port $API_PORT"],
        ),
        ('api: python -c "import app; app.main();"', ["python", "-c", "import app; app.main();"]),
        ("api: grep '&&' \\| '>'", ["grep", "&&", "|", ">"]),
    ],
)
def test_commands_are_split_like_a_posix_command_line(
    a_project: MakeProject, procfile: str, words: list[str]
) -> None:
    assert project.load(a_project(procfile)).command("api") == words


@pytest.mark.parametrize(
    ("procfile", "expected", "saw"),
    [
        ("ap1: python main.py\n", "a line `api: <command>` in broken/Procfile", "ap1 (is `ap1` a typo?)"),
        ("web: python main.py\n", "a line `api: <command>`", "process types there: web"),
        ("", "a line `api: <command>`", "none at all"),
        ("api python main.py\n", "`type: command`", "line 1: 'api python main.py'"),
        ("# hello\nmy api: python main.py\n", "`type: command`", "line 2: 'my api: python main.py'"),
        ('api: python "main.py\n', "can be split into words", "no closing quotation"),
        ("api: python main.py \\", "can be split into words", "no escaped character"),
        ("api: python a.py\nweb: x\napi: python b.py\n", "once", "`api` again in line 3"),
        ("api: cd src && python main.py\n", "without a shell", "'&&'"),
        ("api: python main.py > log.txt 2>&1\n", "without a shell", "'>'"),
        ("api: python main.py 2>/dev/null | tee log\n", "without a shell", "'|'"),
        ("api: echo hello; python main.py\n", "without a shell", "'hello;'"),
        ("api: python main.py &\n", "without a shell", "'&'"),
        ("api: PORT=80 python main.py\n", "starts with a program", "the assignment 'PORT=80'"),
        ("api: py_2=80 python main.py\n", "starts with a program", "the assignment 'py_2=80'"),
        ("api:\n", "a command after `api:`", "nothing after the colon"),
        ("api:   \n", "a command after `api:`", "nothing after the colon"),
        (b"\xff\xfea\x00p\x00i\x00:\x00", "in UTF-8", "byte 1 of it (0xff)"),
        ("api: python main.py\n# caf\u00e9\n".encode("latin-1"), "in UTF-8", "byte 26 of it (0xe9)"),
    ],
)
def test_a_procfile_that_cannot_be_used(
    a_project: MakeProject, procfile: str | bytes, expected: str, saw: str
) -> None:
    folder = a_project(procfile)
    with pytest.raises(ProjectError) as caught:
        project.load(folder).command("api")
    assert expected in caught.value.expected
    assert saw in caught.value.saw


def test_no_procfile(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        project.load(tmp_path)
    assert caught.value.expected == f"a file named Procfile in {tmp_path.name}/"
    assert caught.value.saw == "no such file"


def test_a_procfile_under_another_name_or_further_down_is_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "procfile.txt").write_text("api: x")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "Procfile").write_text("api: x")
    with pytest.raises(ProjectError) as caught:
        project.load(tmp_path)
    assert caught.value.saw == "no such file, but procfile.txt, project/Procfile"


def test_a_procfile_of_any_size_is_read_in_no_time(a_project: MakeProject) -> None:
    with pytest.raises(ProjectError) as caught:
        project.load(a_project("api: python " + "x" * 3_000_000))
    assert caught.value.expected == "a Procfile of at most 16,384 bytes"


def test_a_folder_in_place_of_the_procfile(tmp_path: Path) -> None:
    (tmp_path / "Procfile").mkdir()
    with pytest.raises(ProjectError) as caught:
        project.load(tmp_path)
    assert caught.value.saw == "is a directory"


@pytest.mark.parametrize("name", ["nowhere", "file", "file/below"])
def test_no_folder_is_wrong_usage(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        project.load(tmp_path / name)
    assert str(tmp_path / name) in caught.value.what
    assert "--project" in caught.value.remedy
    assert caught.value.exit_status == 4


def test_a_relative_folder_is_named_in_full(a_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(a_project("web: x"))
    with pytest.raises(ProjectError) as caught:
        project.load(Path()).command("api")
    assert "broken/Procfile" in caught.value.expected


@pytest.mark.parametrize(
    ("command", "sign"),
    [
        ("uvicorn app:app --port $API_PORT", "$API_PORT"),
        ("uvicorn app:app --port ${API_PORT}", "${"),
        ("python main.py>log.txt", ">"),
        ("python `which main.py`", "`"),
        ("python main.py --price 5$", None),
        ("sh -c 'exec uvicorn app:app --port $API_PORT'", None),
        ('sh -c "exec uvicorn app:app --port $API_PORT"', None),
        ("python main.py \\$API_PORT", None),
    ],
)
def test_signs_that_only_a_shell_understands(a_project: MakeProject, command: str, sign: str | None) -> None:
    assert project.load(a_project(f"api: {command}")).shell_sign("api") == sign


def test_a_process_sees_the_contracts_variables_and_little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "DATABASE_URL", "API_PORT", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "from outside")
    found = project.environment({"API_PORT": "1234"})
    assert found["API_PORT"] == "1234"
    assert "from outside" not in found.values()
    assert found["PATH"].split(os.pathsep)[0] == os.path.dirname(sys.executable)
