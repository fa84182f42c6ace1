"""The checks of all labs as a whole: their manifest, their points, their names."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from labkit import manifest, report

ROOT = Path(__file__).parent.parent
CHECKS = manifest.load(ROOT)
LABS = sorted(manifest.labs(ROOT))


@pytest.fixture(scope="module")
def course() -> report.Course:
    return report.load_course(ROOT)


def test_the_manifest_is_what_is_collected(run: Any) -> None:
    ended = run("pytest", "checks", "--collect-only", "-q", env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert ended.status == 0, ended.out
    collected = [line for line in ended.out.splitlines() if "::" in line]
    ids = []
    for line in collected:
        path, _, function = line.partition("::")
        _, lab, file = path.removesuffix(".py").split("/")
        ids.append(f"{lab}.{file.removeprefix('test_')}.{function.removeprefix('test_')}")
    remedy = "make it anew: pytest checks --collect-only -q --write-manifest"
    assert len(ids) == len(set(ids)), "two checks have one id"
    assert set(ids) - set(CHECKS) == set(), f"not in the manifest; {remedy}"
    assert set(CHECKS) - set(ids) == set(), f"only in the manifest; {remedy}"


@pytest.mark.parametrize("lab", LABS)
def test_a_labs_points_are_those_of_the_course(lab: str, course: report.Course) -> None:
    points = [points for name, points in CHECKS.items() if name.startswith(f"{lab}.")]
    assert round(sum(points), 4) == course.points[lab]
    assert all(value > 0 for value in points)
    assert lab in course.handouts, "a lab that is checked has a handout"


def test_every_lab_that_is_checked_is_in_the_course(course: report.Course) -> None:
    assert set(LABS) <= set(course.titles)
    assert {path.name for path in (ROOT / "checks").glob("lab*")} == set(LABS)


@pytest.mark.parametrize("lab", LABS)
def test_the_line_that_runs_a_check_again_runs_no_other(lab: str) -> None:
    """-k looks for its text in the names of folders, files and functions, in our ids, and in markers."""
    texts: dict[str, set[str]] = defaultdict(set)
    for name in CHECKS:
        if name.startswith(f"{lab}."):
            _, file, function = name.split(".")
            texts[name] = {"checks", lab, f"test_{file}.py", f"test_{function}", name}
    clashes = [
        f"-k {name.rpartition('.')[2]} would run {other} as well: rename one of them"
        for name in texts
        for other, words in texts.items()
        if other != name and any(name.rpartition(".")[2].lower() in word.lower() for word in words)
    ]
    assert clashes == []
