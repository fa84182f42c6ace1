"""What a student reads about each wrong specimen, kept under tests/feedback: new words show in a diff."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from labkit.checks import Outcome
from labkit.report import Report, Verdict

_VARYING = (
    (re.compile(r"/(?:tmp|private|var)/[^\s'\",:)]*"), "PATH"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I), "UUID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\blab_\w+"), "DATABASE"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b"), "HEX"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "0"),
)
"""What differs from run to run, and what is written instead."""


def folder(root: Path) -> Path:
    """Where the feedback lies under the repository's root."""
    return root / "tests" / "feedback"


def path(root: Path, specimen: str) -> Path:
    """The file for a specimen, by its name."""
    return folder(root) / f"{specimen}.txt"


def text(report: Report) -> str:
    """The feedback of all failed checks, by their names, without what differs from run to run."""
    failed = sorted(report.verdicts(Outcome.FAILED), key=lambda verdict: verdict.id)
    return "\n".join("\n".join(_lines(verdict)) + "\n" for verdict in failed)


def normalised(words: str) -> str:
    """A text with the same word in place of everything that differs from run to run."""
    for pattern, instead in _VARYING:
        words = pattern.sub(instead, words)
    return words


def write(root: Path, specimen: str, report: Report) -> None:
    """Keep the feedback on a specimen."""
    file = path(root, specimen)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text(report), encoding="utf-8")


def forget_all_but(root: Path, specimens: Iterable[str]) -> None:
    """Remove the feedback on specimens that are no longer there."""
    kept = {path(root, name) for name in specimens}
    for file in folder(root).rglob("*.txt"):
        if file not in kept:
            file.unlink()


def _lines(verdict: Verdict) -> list[str]:
    fields = {
        "we did": verdict.did,
        "expected": verdict.expected,
        "saw": verdict.saw,
        "ask": verdict.ask,
        "read": verdict.read,
    }
    lines = [f"{verdict.id}", f"{verdict.title}."]
    for name, value in fields.items():
        if value:
            first, *others = value.splitlines()
            shown = [f"  {name:<9} {first}", *(f"  {'':<9} {line}" for line in others)]
            lines += shown if name in ("ask", "read") else [normalised(line) for line in shown]
    return [line.rstrip() for line in lines]
