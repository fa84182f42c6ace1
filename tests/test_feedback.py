"""What is kept of the feedback on wrong specimens: the words, and nothing that differs from run to run."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import manifest
from labkit.checks import Check
from labkit.proof import feedback, record, specimens
from labkit.report import Report, Verdict

ROOT = Path(__file__).parent.parent
KEPT = sorted(feedback.folder(ROOT).rglob("*.txt"))
REMEDY = "lab prove --resume --record"


def name_of(file: Path) -> str:
    return file.relative_to(feedback.folder(ROOT)).with_suffix("").as_posix()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("answered in 0.12 s", "answered in 17 s"),
        ("task 0b5c6a0e-7a3c-4c8e-9a55-0123456789ab", "task FFFFFFFF-7a3c-4c8e-9a55-0123456789ab"),
        ("at 2026-01-02T03:04:05.678Z", "at 2027-11-12 13:14:15+00:00"),
        ("File /tmp/lab-prove-x1/project/a.py, line 3", "File /tmp/lab-prove-y9/project/a.py, line 12"),
        ("database lab_12_ab_api_f3", "database lab_9_cd_api_e1"),
        ("12:01:02.345 pending → processing", "23:59:59 pending → processing"),
        (f"by {socket.gethostname()}-123-ab12cd", f"by {socket.gethostname()}-4567-123456"),
        ("http://127.0.0.1:41234/tasks", "http://127.0.0.1:8080/tasks"),
        ("id 3fa85f64", "id 12345678"),
        ("id 0b5c6a0e-7a3c-4c8 … (300 characters)", "id ffffffff-1234-123 … (299 characters)"),
        ("tests/a.py::test_a: 1 != 2\nin tests/a.py::test_a[x]", "b.py::test_b: {…\nin b.py::B::test_c"),
        ('only here:\n["Ann", 1, {"a": null}]', 'only here:\n["Bob", -1, {"b" … (303 characters)'),
        ("by\n 1 a\n 2 a\nend", "by\n 3 a\nend"),
        ("/tasks/01A22B57B42077AAA20868DFDA03175F", "/tasks/01A22E6D61CA7379828FCD59AA76A283"),
        ("within 5 s (48 s on this machine)", "within 5 s"),
        ("and ten seconds (19 s here)", "and ten seconds (11 s here)"),
        ("at datetime.datetime(2026, 11, 30, 7, 33)", "at datetime.datetime(2027, 1, 2, 3, 4, 5, 67"),
        ('saw {"a": 1, "b": {"c": "x"}}', 'saw {"b": {"c": "x"}, "a": 2}'),
        ("saw:\n1, 'a', None … (16,384 characters)", "saw:\n'b' … (11,323 characters)"),
    ],
)
def test_what_differs_from_run_to_run_does_not_count(one: str, other: str) -> None:
    assert feedback.alike(feedback.normalised(one), feedback.normalised(other))


@pytest.mark.parametrize(
    "words",
    ["a decade of facade", "it exited with status 1", "422 instead of 400", "1,000 tasks, 3 attempts"],
)
def test_words_stay_words(words: str) -> None:
    assert feedback.normalised(words) == words


def test_it_reads_like_the_report(
    a_verdict: Callable[..., Verdict], a_report: Callable[..., Report], tmp_path: Path
) -> None:
    failed = a_verdict("lab01.read.b", "failed", did="GET /tasks/7", expected="404", saw="200\nand a body")
    report = a_report(a_verdict("lab01.read.a", "passed"), failed)
    feedback.write(tmp_path, "lab01/short", report)
    lines = feedback.path(tmp_path, "lab01/short").read_text().splitlines()
    assert lines[0] == "lab01.read.b"
    assert "  we did    GET /tasks/7" in lines
    assert "  saw       200" in lines
    assert "            and a body" in lines
    assert not any("lab01.read.a" in line for line in lines)


def test_other_numbers_are_no_news(
    a_verdict: Callable[..., Verdict], a_report: Callable[..., Report], tmp_path: Path
) -> None:
    def kept_after(saw: str) -> bool:
        feedback.write(tmp_path, "lab01/short", a_report(a_verdict("lab01.read.b", "failed", saw=saw)))
        return f"  saw       {saw}" in feedback.path(tmp_path, "lab01/short").read_text().splitlines()

    assert kept_after("nothing after 2 s")
    assert not kept_after("nothing after 3.5 s")
    assert kept_after("not a word after 3.5 s")


def test_only_what_has_changed_shows_in_a_diff() -> None:
    before, now = "a lease of 2 s\n1 task\nended", "a lease of 7 s\n3 tasks\nand a word\nended"
    assert feedback.settled(before, now) == "a lease of 2 s\n3 tasks\nand a word\nended"


def test_what_is_no_longer_there_is_forgotten(a_report: Callable[..., Report], tmp_path: Path) -> None:
    for name in ("lab01/kept", "lab01/gone"):
        feedback.write(tmp_path, name, a_report())
    feedback.forget_all_but(tmp_path, ["lab01/kept", "lab01/never_was"])
    assert [file.name for file in feedback.folder(tmp_path).rglob("*.txt")] == ["kept.txt"]


def test_new_words_of_a_check_take_the_place_of_old_ones_and_leave_the_evidence(
    a_verdict: Callable[..., Verdict], a_report: Callable[..., Report]
) -> None:
    said = "body:\nask       nobody\nlab01.read.c\nread      nothing"
    kept = feedback.text(
        a_report(a_verdict("lab01.read.b", "failed", saw=said), a_verdict("lab01.read.c", "failed"))
    )
    assert feedback.names(kept) == ["lab01.read.b", "lab01.read.c"]
    anew = Check("lab01.read.b", "New title", "New question?", 1, "labs/new.md#place")
    lines = feedback.reworded(kept, {anew.id: anew}).splitlines()
    old = kept.splitlines()
    changed = {now: before for now, before in zip(lines, old, strict=True) if now != before}
    assert changed == {
        "New title.": "A task that was created can be read.",
        "  ask       New question?": "  ask       Where did it go?",
        "  read      labs/new.md#place": "  read      labs/lab01.md#reading",
    }


def test_the_checks_as_they_are_worded_are_all_checks() -> None:
    stated = feedback.stated(ROOT)
    assert stated.keys() == manifest.load(ROOT).keys()
    gate = stated["lab03.tasks.completes_a_task"]
    assert gate.title
    assert gate.ask.endswith("?")
    assert gate.read.startswith("labs/lab-03-")


@pytest.mark.parametrize("file", KEPT, ids=name_of)
def test_the_feedback_of_this_repository_is_on_a_specimen_that_is_there(file: Path) -> None:
    known = {specimen.name: specimen for specimen in specimens.load(ROOT)[0]}
    name = name_of(file)
    assert name in known, REMEDY
    named = feedback.names(file.read_text(encoding="utf-8"))
    assert set(named) == known[name].fails, f"lab prove --record {name}"
    seen = record.load(ROOT).get(name)
    assert seen, f"lab prove --record {name}"
    assert named == list(seen.failed), f"lab prove --record {name}"


def test_the_feedback_of_this_repository_is_in_the_words_of_its_checks() -> None:
    stated = feedback.stated(ROOT)
    for file in KEPT:
        text = file.read_text(encoding="utf-8")
        assert feedback.reworded(text, stated) == text, f"{name_of(file)} has other words: {REMEDY}"
