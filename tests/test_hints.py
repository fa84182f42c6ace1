"""Hint ladders: one question at a time, remembered, and a clear word for a wrong name."""

from pathlib import Path

import pytest

from labkit import hints
from labkit.errors import LabError, UsageError

LADDERS = """
[create]
says_where = ["Is it there?", "Where does it lead?"]
touches_it_alone = ["Which one?"]
[delete]
touches_it_alone = ["And here?"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with hints for lab 01 and nothing else."""
    (tmp_path / "labs" / "hints").mkdir(parents=True)
    (tmp_path / "labs" / "hints" / "lab01.toml").write_text(LADDERS, encoding="utf-8")
    return tmp_path


def test_questions_come_one_at_a_time(root: Path) -> None:
    asked = [hints.next_hint(root, "lab01", "says_where") for _ in range(4)]
    assert [hint and (hint.rung, hint.rungs, hint.question) for hint in asked] == [
        (1, 2, "Is it there?"),
        (2, 2, "Where does it lead?"),
        None,
        (1, 2, "Is it there?"),
    ]


@pytest.mark.parametrize(
    "name", ["says_where", "test_says_where", "create.says_where", "lab01.create.says_where"]
)
def test_a_check_has_many_names(root: Path, name: str) -> None:
    hint = hints.next_hint(root, "lab01", name)
    assert hint is not None
    assert hint.check == "lab01.create.says_where"


def test_a_typo_names_what_is_close(root: Path) -> None:
    with pytest.raises(UsageError, match="Close to it: says_where"):
        hints.next_hint(root, "lab01", "say_were")


def test_a_name_that_two_checks_have(root: Path) -> None:
    with pytest.raises(UsageError, match=r"lab01\.create\.touches_it_alone, lab01\.delete\.touches_it_alone"):
        hints.next_hint(root, "lab01", "touches_it_alone")


def test_a_lab_without_hints(root: Path) -> None:
    with pytest.raises(UsageError, match="no hints for lab07"):
        hints.next_hint(root, "lab07", "x")


def test_broken_files(root: Path) -> None:
    (root / ".lab").mkdir()
    (root / ".lab" / "hints.json").write_text("[3", encoding="utf-8")
    hint = hints.next_hint(root, "lab01", "says_where")
    assert hint is not None
    assert hint.rung == 1
    (root / "labs" / "hints" / "lab01.toml").write_text("[create", encoding="utf-8")
    with pytest.raises(LabError, match="cannot be read"):
        hints.next_hint(root, "lab01", "says_where")
