"""Calibrated deadlines: the file agrees with the checks, and verdicts that hang on patience are told."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit import deadlines, manifest
from labkit.checks import Outcome
from labkit.errors import LabError, UsageError
from labkit.evidence import Wait
from labkit.proof import calibration, feedback
from labkit.proof.calibration import Calibration, Deadline
from labkit.proof.grading import Graded
from labkit.proof.specimens import Specimen
from labkit.report import Course, Report, Verdict, compose, read

ROOT = Path(__file__).parent.parent


def verdict(id: str, outcome: str, *waits: Wait, blocked_by: str | None = None) -> Verdict:
    texts = dict.fromkeys(("title", "did", "expected", "saw", "ask", "read", "again"), "")
    ended = Outcome(outcome)
    return Verdict(
        id, outcome=ended, score=0, max_score=1, duration_s=0, blocked_by=blocked_by, waits=waits, **texts
    )


def report(*verdicts: Verdict) -> Report:
    return compose(verdicts, Course("c"), project="p", seed=1, started_at="", duration_s=0)


# -- the file ----------------------------------------------------------------------------------------------


def test_every_deadline_leaves_room() -> None:
    assert calibration.advice(calibration.load(ROOT)) == []


def test_the_file_is_about_checks_that_exist() -> None:
    strange = calibration.load(ROOT).deadlines.keys() - manifest.load(ROOT).keys()
    assert not strange, f"gone or renamed: {sorted(strange)}. Measure again: lab prove --deadlines"


def test_the_file_knows_every_deadline_that_a_check_states() -> None:
    known = calibration.load(ROOT).deadlines
    stated = list(_stated(ROOT))
    assert len(stated) > 30
    missing = [
        f"{check} gives {given:g} s ({fixed:g} of them fixed)"
        for check, given, fixed in stated
        if (given, fixed) not in {(d.given, d.fixed) for d in known.get(check, ())}
    ]
    assert not missing, f"not measured yet: {missing}. Measure again: lab prove --deadlines"


def _stated(root: Path) -> Iterator[tuple[str, float, float]]:
    """Every `within=…` in a check's own lines that is not the contract's alone, with the check's id; what is
    worked out at run time is left out."""
    for check, function in feedback.written(root):
        for node in ast.walk(ast.parse(inspect.getsource(function))):
            if isinstance(node, ast.keyword) and node.arg == "within":
                try:
                    within = eval(compile(ast.Expression(node.value), check.id, "eval"), function.__globals__)
                except NameError:
                    continue
                if within > deadlines.fixed_part(within):
                    yield check.id, round(float(within), 3), round(deadlines.fixed_part(within), 3)


def test_what_is_saved_is_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    assert calibration.load(tmp_path) == Calibration()
    found = Calibration(
        {"node_pg": "abc"},
        {
            "lab01.a.b": (Deadline(5.0, 5.0, 0.2, "node_pg"), Deadline(10.0, 0.0, 1.25, "node_pg")),
            "lab01.a.c": (Deadline(6.7, 2.7, 1.5, "node_pg"),),
            "lab02.z.c": (Deadline(1.0, 0.0, 0.0, "node_pg"),),
        },
    )
    calibration.save(tmp_path, found)
    assert calibration.load(tmp_path) == found
    assert 'kind = "contract"' in calibration.path(tmp_path).read_text()


def test_a_broken_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    calibration.path(tmp_path).write_text("[checks.lab01]\n")
    with pytest.raises(LabError, match=r"git checkout checks/deadlines\.toml"):
        calibration.load(tmp_path)


# -- measuring ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "fixed", "slowest", "short"),
    [
        (10.0, 0.0, 2.5, False),
        (10.0, 0.0, 2.6, True),
        (0.5, 0.0, 0.0, True),  # less than any busy machine may stop for
        (5.0, 5.0, 4.9, False),  # the contract's own
        (6.7, 2.7, 3.7, False),
        (6.7, 2.7, 3.8, True),
    ],
)
def test_room(given: float, fixed: float, slowest: float, short: bool) -> None:
    deadline = Deadline(given, fixed, slowest, "node_pg")
    assert deadline.too_short == short
    told = calibration.advice(Calibration({}, {"lab01.a.b": (deadline,)}))
    assert bool(told) == short
    assert all("lab01.a.b" in sentence and "node_pg" in sentence for sentence in told)


def test_the_slowest_project_counts_and_a_failed_check_does_not() -> None:
    quick, slow, unrelated = Wait(5, 0, 0.1, True), Wait(5, 0, 0.4, True), Wait(5, 5, 2.0, True)
    found = (
        Calibration()
        .plus("quick", "1", report(verdict("lab01.a.b", "passed", quick, unrelated)))
        .plus("slow", "2", report(verdict("lab01.a.b", "passed", slow), verdict("lab01.a.c", "failed", slow)))
        .plus("third", "3", report(verdict("lab01.a.b", "passed", quick)))
    )
    assert found.projects == {"quick": "1", "slow": "2", "third": "3"}
    assert found.deadlines == {"lab01.a.b": (Deadline(5, 0, 0.4, "slow"), Deadline(5, 5, 2.0, "quick"))}
    assert found.without(["slow"]).deadlines == {"lab01.a.b": (Deadline(5, 5, 2.0, "quick"),)}
    assert found.without(["slow", "quick"]).deadlines == {}


def test_a_project_that_nobody_knows_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="node_pg"):
        calibration.run(ROOT, ["no_such_project"], 1)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reference and two accepted projects, none of which does anything."""
    for folder in ("project", "starter", "checks/lab01", "specimens/accepted/a", "specimens/accepted/b"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("a", "b"):
        table = tmp_path / "specimens" / "accepted" / name / "specimen.toml"
        table.write_text('labs = ["lab01"]\nstyle = "none"\n')
    monkeypatch.setattr(calibration.record, "Keys", lambda root: Keys())
    return tmp_path


class Keys:
    def key(self, specimen: Specimen) -> str:
        return f"key of {specimen.name}"


def test_what_was_broken_off_is_taken_up(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = ["passed", "passed", "failed", "passed"]

    def grade(root: Path, labs: list[str], file: Path, within: float, *options: str, **more: Any) -> Any:
        if not outcomes:
            raise KeyboardInterrupt
        return report(verdict("lab01.a.b", outcomes.pop(0), Wait(5, 0, len(outcomes), True))), []

    monkeypatch.setattr(calibration, "grade", grade)
    assert calibration.run(repository, ["a"], 1) == 1  # 3 of 5 seconds
    assert calibration.load(repository).deadlines == {"lab01.a.b": (Deadline(5, 0, 3, "a"),)}
    assert calibration.run(repository, [], 1, resume=True) == 1
    known = calibration.load(repository)
    assert known.projects == {"a": "key of a", "b": "", "reference": "key of reference"}
    assert calibration.run(repository, ["b"], 1, resume=True) == 1
    assert calibration.load(repository).projects["b"] == "key of b"
    assert calibration.run(repository, [], 1, resume=True) == 1  # nothing is left to measure
    with pytest.raises(KeyboardInterrupt):
        calibration.run(repository, ["a"], 1)
    assert calibration.load(repository).projects.keys() == {"a", "b", "reference"}


def test_what_has_room_to_spare_is_fine(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fine = report(verdict("lab01.a.b", "passed", Wait(5, 0, 0.1, True))), []
    monkeypatch.setattr(calibration, "grade", lambda *arguments: fine)
    assert calibration.run(repository, [], 2) == 0


# -- asking again with more patience -----------------------------------------------------------------------

MISSED, CONTRACT, MET = Wait(5, 0, 5.1, False), Wait(5, 5, 5.1, False), Wait(5, 0, 1.0, True)


def test_only_checks_that_waited_in_vain_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = report(
        verdict("lab01.a.slow", "failed", MISSED),
        verdict("lab01.a.never", "failed", MISSED),
        verdict("lab01.a.wrong", "failed", MET),
        verdict("lab01.a.too_late", "failed", CONTRACT),
        verdict("lab01.a.starts", "failed"),
        verdict("lab01.a.first", "blocked", MISSED, blocked_by="lab01.a.starts"),
        verdict("lab02.a.fine", "passed", MISSED),
    )
    asked: list[str] = []

    def again(root: Path, labs: list[str], file: Path, within: float, *options: str, **more: Any) -> Graded:
        asked.extend([*labs, options[options.index("-k") + 1], more["variables"][deadlines.PATIENCE]])
        outcome = report(
            verdict("lab01.a.slow", "passed"),
            verdict("lab01.a.slow_too", "passed"),  # -k finds what begins so, too
            verdict("lab01.a.never", "failed"),
            verdict("lab01.a.starts", "passed"),
        )
        return Graded(outcome, [], 0, "")

    monkeypatch.setattr(calibration, "grade_closely", again)
    found = calibration.depends_on_deadline(ROOT, Path("p"), first)
    assert asked == ["lab01", "lab01.a.never or lab01.a.slow or lab01.a.starts", "2"]
    assert found == {"lab01.a.slow", "lab01.a.starts"}
    assert len(calibration.warnings("lab01/x", found)) == 2


def test_without_any_that_waited_in_vain_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(calibration, "grade_closely")
    assert not calibration.depends_on_deadline(ROOT, Path("p"), report(verdict("lab01.a.b", "failed", MET)))


WAITS = '''
from labkit.deadlines import fixed, wait_until

@check(points=1, read=HANDOUT)
def test_{name}():
    """It comes.

    When?
    """
    expect(bool(wait_until(lambda: {comes}, within={within})), "it to come", "nothing")
'''


def test_what_merely_comes_late_is_told_from_what_never_comes(course: Any) -> None:
    late = f'os.environ.get("{deadlines.PATIENCE}") == "2"'
    for name, comes, within in (
        ("late", late, "0.05"),
        ("never", "False", "0.05"),
        ("too_late", late, "fixed(0.05)"),
        ("there", "True", "5"),
    ):
        course.checks(name, WAITS.format(name=name, comes=comes, within=within))
    file = course.root / "first.json"
    course("checks/lab01", "--report", str(file))
    first = read(file)
    waits = {v.id: [(w.given, w.fixed, w.met) for w in v.waits] for v in first.verdicts()}
    assert waits == {
        "lab01.late.late": [(0.05, 0, False)],
        "lab01.never.never": [(0.05, 0, False)],
        "lab01.too_late.too_late": [(0.05, 0.05, False)],
        "lab01.there.there": [(5, 0, True)],
    }
    found = calibration.depends_on_deadline(course.root, course.root / "project", first)
    assert found == {"lab01.late.late"}


def test_patience_that_is_no_factor_is_wrong_usage(course: Any) -> None:
    course.checks("there", WAITS.format(name="there", comes="True", within="5"))
    ended = course("checks/lab01", env={deadlines.PATIENCE: "often"})
    assert ended.status == 4
    assert ended.says("ERROR: LAB_PATIENCE is 'often', and should be a number from 1 to 10.")
