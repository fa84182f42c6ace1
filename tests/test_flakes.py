"""`lab prove --flakes N`: the reference again and again; what fails then is counted, told and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from labkit import manifest
from labkit.errors import LabError
from labkit.proof import flakes, record, tally

OF_ANOTHER_LAB = '''
    @check(points=1, read=HANDOUT)
    def test_stays(pytestconfig):
        """It stays.

        How long?
        """
        expect(Path(pytestconfig.option.project, "words.txt").exists(), "some words", "none")
'''


@pytest.fixture
def repeat(greetings: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Repeats the reference of the small repository."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:faker -p no:schemathesis -p no:hypothesispytest")
    monkeypatch.setattr(flakes.os, "cpu_count", lambda: 1)
    return lambda times, *labs: flakes.run(greetings, labs or ["lab01"], times)


def test_the_reference_is_repeated_and_whatever_fails_is_told(
    greetings: Path, repeat: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert repeat(2) == 0
    out = capsys.readouterr().out
    assert "2 runs, 4 verdicts" in out
    assert "no false failure. With 95 % certainty fewer than 100.0% of runs" in out
    (greetings / "project" / "words.txt").write_text("goodbye\n", encoding="utf-8")
    assert repeat(1) == 1
    out = capsys.readouterr().out
    assert "run 3 (order 3, -n 2, undisturbed): lab01.a.greets: expected hello" in out
    assert "1 runs with a false failure (100.0%)" in out
    assert (greetings / ".lab" / "flakes" / "lab01-run-0003.json").exists()


def test_repetitions_add_up_until_something_changes(greetings: Path, repeat: Callable[..., int]) -> None:
    for _ in range(4):
        assert repeat(1) == 0
    kinds = {(kind.processes, kind.under_load) for kind in tally.load(greetings).values()}
    assert kinds == {(0, False), (0, True), (2, False), (2, True)}
    page_text = (greetings / "docs" / "proof.md").read_text()
    assert (
        "- **lab01**: 0 of 4 runs failed, so fewer than 1 in 1; 2 of them were under load, "
        "2 in two processes." in page_text.splitlines()
    )
    assert not record.path(greetings).exists()
    (greetings / "project" / "words.txt").write_text("goodbye\n", encoding="utf-8")
    assert repeat(1) == 1
    (now,) = tally.sums(tally.load(greetings))
    assert (now.runs, now.failed, now.by, now.runs_before) == (1, 1, {"lab01.a.greets": 1}, 4)
    assert (
        "- **lab01**: 1 of 1 runs failed (100.0%; `lab01.a.greets` 1×); 0 of them were under load, "
        "0 in two processes. Before these checks, or what they run, were changed: 0 of 4."
    ) in (greetings / "docs" / "proof.md").read_text()


def test_a_repetition_that_is_stopped_has_counted_what_was_over(
    greetings: Path, repeat: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    grade, burning = flakes.grade, []

    def interrupted(*arguments: Any) -> Any:
        if "--random-order-seed=2" in arguments:
            burning.extend(
                child for child in psutil.Process().children() if "while True" in child.cmdline()[-1]
            )
            raise KeyboardInterrupt
        return grade(*arguments)

    monkeypatch.setattr(flakes, "grade", interrupted)
    with pytest.raises(KeyboardInterrupt):
        repeat(2)
    assert tally.runs(greetings, "lab01") == 1
    assert len(burning) == 1
    assert not burning[0].is_running()
    assert "0 of 1 runs failed;" in (greetings / "docs" / "proof.md").read_text()


def test_runs_under_load_are_the_load_of_each_other(
    greetings: Path, repeat: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    grade, graded, three = flakes.grade, [], threading.Barrier(3, timeout=60)

    def counted(*arguments: Any) -> Any:
        if not graded:
            graded.append(grade(*arguments))
        if any(f"--random-order-seed={number}" in arguments for number in (2, 4, 6)):
            three.wait()
        return graded[0]

    monkeypatch.setattr(flakes, "grade", counted)
    assert repeat(6) == 0
    (now,) = tally.sums(tally.load(greetings))
    assert (now.runs, now.under_load) == (6, 3)


def test_a_run_without_a_report_is_a_failure(
    greetings: Path, repeat: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(*arguments: Any) -> Any:
        raise LabError("The checks did not end within 900 s.")

    monkeypatch.setattr(flakes, "grade", hangs)
    with pytest.raises(LabError, match=r"run 1 .*: The checks did not end"):
        repeat(5)
    (now,) = tally.sums(tally.load(greetings))
    assert (now.runs, now.failed, now.by) == (1, 1, {})


def test_runs_of_several_labs_count_for_each_and_for_all(
    course: Any, greetings: Path, repeat: Callable[..., int]
) -> None:
    course.checks("b", OF_ANOTHER_LAB, lab="lab02")
    course.manifest()
    manifest.load.cache_clear()
    assert repeat(2, "lab01", "lab02") == 0
    assert [(s.lab, s.runs, s.verdicts) for s in tally.sums(tally.load(greetings))] == [
        ("lab01", 2, 4),
        ("lab02", 2, 2),
        ("all labs", 2, 6),
    ]


def test_a_run_during_which_something_is_changed_is_not_counted(
    greetings: Path, repeat: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    grade = flakes.grade

    def changing(*arguments: Any) -> Any:
        with (greetings / "checks" / "lab01" / "test_a.py").open("a") as file:
            file.write("\n# another word\n")
        return grade(*arguments)

    monkeypatch.setattr(flakes, "grade", changing)
    assert repeat(1) == 0
    assert tally.load(greetings) == {}
    assert (
        "is not counted: the checks or the reference have been changed meanwhile." in capsys.readouterr().out
    )
