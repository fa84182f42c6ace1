"""The students' repository: all that they need, none of the answers, and it works."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from labkit import starter
from labkit.errors import LabError, UsageError

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A students' repository."""
    destination = tmp_path_factory.mktemp("students") / "flowforge"
    starter.make(ROOT, destination)
    return destination


def files(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, by its path, but for what Python leaves behind."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_it_holds_what_a_student_needs(repository: Path) -> None:
    for name in (
        *("README.md", "Makefile", "bootstrap.sh", "pyproject.toml", "constraints.txt", "openapi.yaml"),
        *("project/Procfile", "project/api_service/__main__.py", "project/.env.example"),
        *("labs/course.toml", "labs/lab-01-rest-api.md", "checks/manifest.json", "checks/lab01/conftest.py"),
        *("labkit/pytest_plugin.py", "labkit/py.typed", ".github/workflows/checks.yml", ".gitignore"),
        *("docs/environment.md", "docs/concepts/rest-design.md", "schemathesis.toml"),
    ):
        assert (repository / name).is_file(), name


def test_it_holds_nothing_else(repository: Path) -> None:
    assert sorted(path.name for path in repository.iterdir()) == [
        *(
            ".github",
            ".gitignore",
            "Makefile",
            "README.md",
            "bootstrap.sh",
            "checks",
            "constraints.txt",
            "docs",
        ),
        *("labkit", "labs", "openapi.yaml", "project", "pyproject.toml", "schemathesis.toml"),
    ]
    assert sorted(path.name for path in (repository / "docs").iterdir()) == [
        *("concepts", "environment.md", "performance.md", "performance.svg"),
    ]


def test_it_holds_no_reference_no_specimen_no_test_and_no_history(repository: Path) -> None:
    given = files(repository)
    for name in given:
        parts = Path(name).parts
        assert not {"specimens", "classroom", "starter", ".git", ".venv", "bench"} & set(parts), name
        assert parts[0] != "tests", name
        assert not name.endswith((".pyc", ".patch", "authors.mk", ".env")), name
    started_from = files(ROOT / "starter")
    assert {
        n.removeprefix("project/"): c for n, c in given.items() if n.startswith("project/")
    } == started_from


def test_no_file_of_the_reference_is_in_it_under_any_name(repository: Path) -> None:
    given = {*files(ROOT / "starter").values(), (ROOT / "openapi.yaml").read_bytes()}  # those are no answers
    answers = {
        content: name
        for folder in ("project", "specimens")
        for name, content in files(ROOT / folder).items()
        if len(content) > 200 and content not in given
    }
    leaked = {name: answers[content] for name, content in files(repository).items() if content in answers}
    assert leaked == {}


def test_its_makefile_works_without_what_authors_have(repository: Path, run: Any) -> None:
    ended = run("make", "help", cwd=repository)
    assert ended.status == 0, ended.out
    assert "make check" in ended.out
    assert "make prove" not in ended.out


def test_its_settings_are_those_of_this_repository(repository: Path) -> None:
    table = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    assert table["project"]["scripts"]["lab"] == "labkit.cli:main"


def test_its_checks_are_collected_and_graded_there(repository: Path, run: Any) -> None:
    plain = {"PYTHONPATH": f"{repository}:{ROOT / 'tests' / 'plugins'}"}
    where = run(
        "python", "-c", "import labkit.pytest_plugin as p; print(p.__file__)", cwd=repository, env=plain
    )
    assert where.out.strip() == str(repository / "labkit" / "pytest_plugin.py")
    listed = run("python", "-m", "pytest", "checks/lab01", "--collect-only", "-q", cwd=repository, env=plain)
    assert listed.status == 0, listed.out
    assert "checks/lab01/test_service.py::test_starts" in listed.out
    ended = run(
        *(
            "python",
            "-m",
            "pytest",
            "checks/lab01",
            "-p",
            "no_postgres",
            "-k",
            "starts or health or answers_201",
        ),
        cwd=repository,
        env=plain,
    )
    assert ended.status == 1, ended.out
    assert ended.says("✗ lab01.service.health", "✗ lab01.create.answers_201", "1 passed, 2 failed")


def test_pytest_alone_runs_the_students_own_tests(repository: Path, run: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(repository, mine)
    (mine / "project" / "tests" / "test_mine.py").write_text("def test_mine():\n    assert True\n")
    ended = run("python", "-m", "pytest", cwd=mine, env={"PYTHONPATH": str(mine)})
    assert ended.status == 0, ended.out
    assert "2 passed" in ended.out


def test_an_existing_folder_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("full", "file"):
        with pytest.raises(UsageError) as caught:
            starter.make(ROOT, tmp_path / name)
        assert "exists already and is not an empty folder" in caught.value.what
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "thesis.txt"]


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    count = starter.make(ROOT, tmp_path)
    assert count == len(files(tmp_path))


@pytest.mark.parametrize("place", ["checks/mine", "labs/mine", "starter/mine"])
def test_a_folder_inside_of_what_is_copied(place: str) -> None:
    with pytest.raises(UsageError) as caught:
        starter.make(ROOT, ROOT / place)
    assert caught.value.remedy == "Name a folder outside of it."
    assert not (ROOT / place).exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError) as caught:
        starter.make(ROOT, tmp_path / "file" / "below")
    assert "could not be written: not a directory" in caught.value.what
    assert caught.value.exit_status == 3


def test_students_cannot_make_another_one(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        starter.make(repository, tmp_path / "more")
    assert "lacks classroom, starter, so it is not the instructors' repository" in caught.value.what
    assert not (tmp_path / "more").exists()
