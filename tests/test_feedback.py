"""What is kept of the feedback on wrong specimens: the words, and nothing that differs from run to run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.proof import feedback
from labkit.report import Report, Verdict


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("answered in 0.12 s", "answered in 17 s"),
        ("task 0b5c6a0e-7a3c-4c8e-9a55-0123456789ab", "task FFFFFFFF-7a3c-4c8e-9a55-0123456789ab"),
        ("at 2026-01-02T03:04:05.678Z", "at 2027-11-12 13:14:15+00:00"),
        ("File /tmp/lab-prove-x1/project/a.py, line 3", "File /tmp/lab-prove-y9/project/a.py, line 12"),
        ("database lab_12_ab_api_f3", "database lab_9_cd_api_e1"),
    ],
)
def test_what_differs_from_run_to_run_does_not_count(one: str, other: str) -> None:
    assert feedback.normalised(one) == feedback.normalised(other)


@pytest.mark.parametrize(
    "words", ["a decade of facade", "it exited with status", "null is not of type object"]
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
    assert "  we did    GET /tasks/0" in lines
    assert "  saw       0" in lines
    assert "            and a body" in lines
    assert not any("lab01.read.a" in line for line in lines)


def test_what_is_no_longer_there_is_forgotten(a_report: Callable[..., Report], tmp_path: Path) -> None:
    for name in ("lab01/kept", "lab01/gone"):
        feedback.write(tmp_path, name, a_report())
    feedback.forget_all_but(tmp_path, ["lab01/kept", "lab01/never_was"])
    assert [file.name for file in feedback.folder(tmp_path).rglob("*.txt")] == ["kept.txt"]
