"""The report: schema 1, composed, stored and read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from labkit import report
from labkit.checks import Outcome
from labkit.errors import LabError, UsageError
from labkit.evidence import Wait
from labkit.report import Report, Verdict

ROOT = Path(__file__).parent.parent
SCHEMA_1 = (
    *("id", "title", "outcome", "score", "max_score", "duration_s", "did", "expected", "saw", "ask", "read"),
    *("again", "blocked_by"),
)
"""A check's keys; what goes beyond them is ours."""

AVerdict = Callable[..., Verdict]
AReport = Callable[..., Report]


@pytest.fixture
def full(a_verdict: AVerdict, a_report: AReport) -> Report:
    """A report with every outcome and every field in it."""
    return a_report(
        a_verdict("lab02.pool.is_bounded", "error", saw="no server"),
        a_verdict(
            *("lab01.read.answers_200", "failed"),
            curl=("curl -i x",),
            log=("one", "two"),
            advice=("an index",),
            waits=(Wait(10.0, 0.0, 0.5, True),),
        ),
        a_verdict("lab01.delete.is_gone", "blocked", blocked_by="lab01.read.answers_200"),
        a_verdict("lab01.create.answers_201"),
    )


def test_the_json_is_schema_1(full: Report, tmp_path: Path) -> None:
    report.save(full, tmp_path / "report.json")
    table = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert list(table) == [
        *("schema", "course", "project", "seed", "started_at", "duration_s", "score", "max_score", "labs")
    ]
    assert [table[name] for name in list(table)[:-1]] == [
        *(1, "flowforge", "project", 7, "2026-01-02T03:04:05Z", 12.35, 0.2, 0.8)
    ]
    lab = table["labs"][0]
    assert list(lab) == ["id", "title", "score", "max_score", "checks"]
    assert [lab[name] for name in list(lab)[:-1]] == ["lab01", "REST API", 0.2, 0.6]
    assert {name: lab["checks"][0].pop(name) for name in SCHEMA_1} == {
        "id": "lab01.read.answers_200",
        "title": "A task that was created can be read",
        "outcome": "failed",
        "score": 0.0,
        "max_score": 0.2,
        "duration_s": 0.125,
        "did": "GET /tasks/7",
        "expected": "200",
        "saw": "404",
        "ask": "Where did it go?",
        "read": "labs/lab01.md#reading",
        "again": "pytest checks/lab01 -k answers_200",
        "blocked_by": None,
    }
    assert lab["checks"][0] == {
        "curl": ["curl -i x"],
        "log": ["one", "two"],
        "advice": ["an index"],
        "waits": [{"given": 10.0, "fixed": 0.0, "took": 0.5, "met": True}],
    }
    outcomes = ["failed", *(c["outcome"] for lab in table["labs"] for c in lab["checks"] if "outcome" in c)]
    assert outcomes == ["failed", "blocked", "passed", "error"]
    assert [lab["id"] for lab in table["labs"]] == ["lab01", "lab02"]


def test_a_stored_report_is_the_same_when_it_is_read(full: Report, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "down" / "report.json"
    report.require_writable(file)
    report.save(full, file)
    assert report.read(file) == full
    assert [path.name for path in file.parent.iterdir()] == ["report.json"]


def test_text_of_every_kind_survives(a_verdict: AVerdict, a_report: AReport, tmp_path: Path) -> None:
    hostile = "\x1b[2J \ud800 \u202e 中文 \0 \n</script>"
    stored = a_report(a_verdict("lab01.a.b", "failed", saw=hostile, curl=(hostile,), log=(hostile,)))
    report.save(stored, tmp_path / "report.json")
    assert report.read(tmp_path / "report.json") == stored


def test_fractions_add_up_without_dust(a_verdict: AVerdict, a_report: AReport) -> None:
    made = a_report(*(a_verdict(f"lab01.a.n{number}", max_score=0.1, score=0.1) for number in range(3)))
    assert (made.score, made.max_score, made.labs[0].score) == (0.3, 0.3, 0.3)


def test_verdicts_are_found_by_outcome(full: Report) -> None:
    assert [v.id for v in full.verdicts(Outcome.BLOCKED)] == ["lab01.delete.is_gone"]
    assert len(full.verdicts()) == 4


def test_a_report_that_exists_is_replaced_whole_or_not_at_all(full: Report, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("old")
    report.save(full, file)
    assert report.read(file) == full
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(LabError) as caught:
        report.save(full, folder)
    assert str(folder) in caught.value.what
    assert "--report" in caught.value.remedy
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "report.json"]


def test_a_place_that_cannot_be_written_is_known_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, reason in ((tmp_path, "it is a folder"), (tmp_path / "file" / "report.json", "")):
        with pytest.raises(UsageError) as caught:
            report.require_writable(path)
        assert f"A report cannot be written to {path}: {reason}" in caught.value.what
        assert caught.value.exit_status == 4
    report.require_writable(tmp_path / "new" / "report.json")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda table: table.update(schema=2), "it has schema 2, this version reads 1"),
        (lambda table: table.pop("schema"), "'schema' is missing"),
        (lambda table: table.pop("score"), "'score' is missing"),
        (lambda table: table["labs"][0].pop("title"), "'title' is missing"),
        (lambda table: table["labs"][0]["checks"][0].pop("again"), "'again' is missing"),
        (lambda table: table["labs"][0]["checks"][0].update(outcome="fine"), "'fine' is not a valid Outcome"),
        (lambda table: table["labs"][0]["checks"][0].update(score="lots"), "could not convert string"),
        (lambda table: table.update(labs=7), "is not a report: "),
    ],
)
def test_a_file_that_is_no_report(full: Report, tmp_path: Path, change: Callable, reason: str) -> None:
    file = tmp_path / "report.json"
    report.save(full, file)
    table = json.loads(file.read_text(encoding="utf-8"))
    change(table)
    file.write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        report.read(file)
    assert reason in caught.value.what
    assert caught.value.remedy == "Make one with: lab check --report FILE"


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"3", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_something_else(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(content)
    with pytest.raises(UsageError):
        report.read(file)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        report.read(tmp_path / "report.json")
    assert "cannot be read: no such file or directory" in caught.value.what


def test_keys_of_later_versions_are_overlooked(full: Report, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    report.save(full, file)
    table = json.loads(file.read_text(encoding="utf-8"))
    table["sandbox"] = "bubblewrap"
    table["labs"][0]["checks"][0]["weight"] = 2
    del table["labs"][0]["checks"][0]["curl"]  # ours, not the schema's
    file.write_text(json.dumps(table), encoding="utf-8")
    again = report.read(file)
    changed = replace(full.labs[0].checks[0], curl=())
    assert again.labs[0].checks == (changed, *full.labs[0].checks[1:])


def test_the_course_is_read_with_the_handouts_that_exist() -> None:
    course = report.load_course(ROOT)
    assert course.name == "flowforge"
    assert list(course.titles) == ["lab01", "lab02", "lab03", "lab04", "lab05"]
    assert sum(course.points.values()) == 100
    assert course.handouts["lab01"] == "labs/lab-01-rest-api.md"
    assert all((ROOT / handout).is_file() for handout in course.handouts.values())


@pytest.mark.parametrize(
    "text", ["name = ", 'name = "x"', 'name = "x"\nlabs = 3', 'name = "x"\nlabs = ["lab01"]']
)
def test_a_course_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "course.toml").write_text(text)
    with pytest.raises(LabError) as caught:
        report.load_course(tmp_path)
    assert caught.value.remedy == "Restore it: git checkout labs/course.toml"
    assert caught.value.exit_status == 3


def test_without_a_course_there_is_a_nameless_one(tmp_path: Path) -> None:
    assert report.load_course(tmp_path).name == "unnamed"
