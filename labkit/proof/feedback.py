"""What a student reads about each wrong specimen, kept under tests/feedback: new words show in a diff."""

from __future__ import annotations

import importlib.util
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from itertools import groupby
from pathlib import Path
from types import FunctionType, ModuleType

from labkit.checks import MARKER, Check, Outcome, describe
from labkit.report import Report, Verdict

_ID = re.compile(r"lab\d\d\.\w+\.\w+")

_VARYING = (
    (re.compile(r"\S.*… \(\d\d,\d{3} characters\)$", re.MULTILINE), "A LONG LINE"),
    (re.compile(r"/(?:tmp|private|var|home|root|Users|usr|opt)/[^\s'\",:)]*"), "PATH"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{1,12}){1,4}\b", re.I), "UUID"),  # it may have been cut off
    (re.compile(r"\b(?=[0-9A-F]*\d)[0-9A-F]{32}\b"), "UUID"),
    (re.compile(r"datetime\.datetime\([^)]*(?:\)|$)"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?"), "TIME"),
    (re.compile(r" \(\d+ s (?:on this machine|here)\)"), ""),
    (re.compile(r"\blab_\w+"), "DATABASE"),
    (re.compile(rf"\b{re.escape(socket.gethostname())}[-.:]\d+[-.:]\w+"), "WORKER"),
    (re.compile(r"\b(127\.0\.0\.1|localhost):\d+"), r"\1:PORT"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b"), "HEX"),
    (re.compile(r"^\s*\[\".*(?:\]|characters\))$", re.MULTILINE), "ROW"),
    (re.compile(r"[\w./-]+\.py::\S+: .*"), "TEST: …"),
    (re.compile(r"[\w./-]+\.py::\S+"), "TEST"),
)
"""What differs from run to run, and what is written instead. A row that stands on a line of its own may be
made up of random words. Tests are run in any order: which of them are shown, and what they say, differs."""
_NUMBER = re.compile(r"\bHEX\b|\d+(?:[.,]\d+)*")
"""May differ from run to run, like how often one has asked; and often does not, like a status. A reader needs
to see it."""


def folder(root: Path) -> Path:
    """Where the feedback lies under the repository's root."""
    return root / "tests" / "feedback"


def path(root: Path, specimen: str) -> Path:
    """The file for a specimen, by its name."""
    return folder(root) / f"{specimen}.txt"


def text(report: Report) -> str:
    """The feedback of all failed checks, by their names, without what differs from run to run (numbers do):
    what was done, expected and seen, the question and the link. Requests and log lines are left out."""
    failed = sorted(report.verdicts(Outcome.FAILED), key=lambda verdict: verdict.id)
    return "\n".join("\n".join(_lines(verdict)) + "\n" for verdict in failed)


def alike(one: str, other: str) -> bool:
    """Whether two texts say the same, but for numbers, the order of JSON's fields, and how often a line is
    repeated."""
    return _once(_gist(one)) == _once(_gist(other))


def settled(before: str, now: str) -> str:
    """The text of now, with the lines of before where they say the same, as in `alike`: what a diff shows is
    what has changed."""
    old, new = before.split("\n"), now.split("\n")
    for block in SequenceMatcher(
        None, [_gist(line) for line in old], [_gist(line) for line in new], autojunk=False
    ).get_matching_blocks():
        new[block.b : block.b + block.size] = old[block.a : block.a + block.size]
    return "\n".join(new)


def _gist(text: str) -> str:
    """A text without what may differ and is no news: its numbers, and the order of JSON's fields."""
    return "\n".join(_orderless(line) for line in _NUMBER.sub("0", text).split("\n"))


def _orderless(line: str) -> str:
    """A line of JSON with its fields in one order; another line as it is."""
    return ", ".join(sorted(re.split(r"[,{}]\s*", line))) if '{"' in line else line


def normalised(words: str) -> str:
    """A text with the same word in place of everything that differs from run to run, except numbers."""
    for pattern, instead in _VARYING:
        words = pattern.sub(instead, words)
    return "\n".join(_once(words))


def _once(text: str) -> list[str]:
    """Its lines, each only once where it comes several times on end."""
    return [line for line, _ in groupby(text.split("\n"))]


def write(root: Path, specimen: str, report: Report) -> None:
    """Keep the feedback on a specimen; what is kept stays as it is where only numbers would change."""
    file = path(root, specimen)
    now = text(report)
    if file.exists():
        before = file.read_text(encoding="utf-8")
        now = before if alike(before, now) else settled(before, now)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(now, encoding="utf-8")


def forget(root: Path, specimen: str) -> None:
    """Remove the feedback on a specimen, if there is any."""
    path(root, specimen).unlink(missing_ok=True)


def forget_all_but(root: Path, specimens: Iterable[str]) -> None:
    """Remove the feedback on specimens that are no longer there."""
    kept = {path(root, name) for name in specimens}
    for file in folder(root).rglob("*.txt"):
        if file not in kept:
            file.unlink()


def names(kept: str) -> list[str]:
    """The checks that a kept feedback is about."""
    return [line for line in kept.splitlines() if line and not line.startswith(" ") and _ID.fullmatch(line)]


def refresh(root: Path) -> None:
    """Bring the titles, questions and links of all feedback to what the checks say now. The evidence stays:
    it changes only when a specimen is proved again."""
    checks = stated(root)
    for file in folder(root).rglob("*.txt"):
        before = file.read_text(encoding="utf-8")
        if (now := reworded(before, checks)) != before:
            file.write_text(now, encoding="utf-8")


def reworded(kept: str, checks: Mapping[str, Check]) -> str:
    """A kept feedback, its titles, questions and links as these checks have them."""
    lines: list[str] = []
    about: Check | None = None
    for line in kept.splitlines():
        if lines and about and lines[-1] == about.id:
            line = f"{about.title}."
        elif line in checks:
            about = checks[line]
        elif about and line.startswith(_field("ask", "")):
            line = _field("ask", about.ask)
        elif about and line.startswith(_field("read", "")):
            line = _field("read", about.read)
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def stated(root: Path) -> dict[str, Check]:
    """All checks of the repository, by their ids, as their authors have worded them."""
    return {check.id: check for check, _ in written(root)}


def written(root: Path) -> Iterator[tuple[Check, FunctionType]]:
    """All checks of the repository with the functions that their authors wrote; the files are loaded anew."""
    for file in sorted((root / "checks").glob("lab[0-9][0-9]/test_*.py")):
        for name, function in vars(_loaded(file)).items():
            marks = getattr(function, "pytestmark", ())
            for mark in marks if name.startswith("test_") else ():
                if mark.name == MARKER:
                    yield describe(file.parent.name, file.stem, function, **mark.kwargs), function


def _loaded(file: Path) -> ModuleType:
    name = f"checks_{file.parent.name}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _lines(verdict: Verdict) -> list[str]:
    lines = [verdict.id, f"{verdict.title}."]
    for name, value in (("we did", verdict.did), ("expected", verdict.expected), ("saw", verdict.saw)):
        if value:
            first, *others = normalised(value).splitlines()
            lines += [_field(name, first), *(_field("", line) for line in others)]
    lines += [_field("ask", verdict.ask), _field("read", verdict.read)]
    return [line.rstrip() for line in lines]


def _field(name: str, value: str) -> str:
    return f"  {name:<9} {value}"
