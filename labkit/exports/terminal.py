"""The report in the terminal: what the student sees twenty times an evening, on one 80 × 40 screen."""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from labkit.checks import Check, Outcome
from labkit.report import Course, Lab, Report, Verdict

WIDTH = 80
_HEIGHT = 40
_OPENED = 4
"""How many failures are shown whole; the rest in a line each. The first is the one to mend first."""
_MOST_LINES = {"did": 3, "expected": 3, "saw": 7, "ask": 3, "paste": 4, "log": 3}

_STYLES = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "red",
    Outcome.BLOCKED: "yellow",
    Outcome.ERROR: "magenta",
}
_SIGNS = {
    Outcome.PASSED: ("✓", "ok"),
    Outcome.FAILED: ("✗", "FAILED"),
    Outcome.BLOCKED: ("◌", "blocked"),
    Outcome.ERROR: ("!", "ERROR"),
}


def console(file: TextIO, color: str = "auto") -> Console:
    """A console for reports; `color` is auto, yes or no (auto: only on a terminal, and NO_COLOR is kept)."""
    width = WIDTH
    if file.isatty():
        width = max(WIDTH, min(Console(file=file).width, 110))
    wanted = {"yes": True, "no": False}.get(color, file.isatty() and not os.environ.get("NO_COLOR"))
    return Console(
        file=file,
        width=width,
        force_terminal=wanted,
        no_color=not wanted,
        highlight=False,
        emoji=False,
        markup=False,
    )


class Live:
    """A progress bar over the checks of a run; nothing at all where the output is no terminal."""

    def __init__(self, out: Console) -> None:
        self._bar: Progress | None = None
        self._out = out

    def begin(self, names: Sequence[Check]) -> None:
        labs = ", ".join(dict.fromkeys(check.lab for check in names))
        if not self._out.is_terminal or not self._out.file.isatty():
            return
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[now]}", style="dim"),
            console=self._out,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bar.add_task(labs, total=len(names), now="starting …")
        self._bar.start()
        self._bar.refresh()

    def running(self, name: str) -> None:
        if self._bar:
            self._bar.update(self._task, now=name[:40], refresh=True)

    def done(self, verdict: Verdict) -> None:
        if self._bar:
            self._bar.update(self._task, advance=1, refresh=True)

    def end(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


def render(
    out: Console,
    report: Report,
    *,
    course: Course | None = None,
    problems: Sequence[str] = (),
    everything: bool = False,
) -> None:
    """Print the report. `problems` are the grader's own; `everything` opens every failure and lists
    every check."""
    failed = [v for v in report.verdicts() if v.outcome in (Outcome.FAILED, Outcome.ERROR)]
    failed.sort(key=lambda v: v.outcome != Outcome.FAILED)
    blocked = report.verdicts(Outcome.BLOCKED)
    opened = _roots(failed, blocked)
    most = len(opened) if everything else _OPENED
    for verdict in opened[:most]:
        _open(out, verdict)
    if rest := [*opened[most:], *(v for v in failed if v not in opened)]:
        for verdict in rest:
            _line(out, verdict)
        out.print()
    _blocked(out, [v for v in blocked if v not in opened])
    _passed(out, report.verdicts(Outcome.PASSED), compact=not everything and len(report.verdicts()) > 16)
    for problem in problems:
        _field(out, "!", "grader", problem, 6, style="magenta")
    for lab in report.labs:
        _points(out, lab, report.duration_s)
    out.print(Text(_next(report, failed, blocked, problems, course), style="bold"))


def _roots(failed: Sequence[Verdict], blocked: Sequence[Verdict]) -> list[Verdict]:
    """What is worth opening: every failure once (errors with one cause count as one), and a blocked check
    whose blocker did not run itself."""
    ran = {v.id for v in failed}
    seen: set[str] = set()
    roots = []
    for verdict in failed:
        if verdict.outcome == Outcome.ERROR:
            if verdict.saw in seen:
                continue
            seen.add(verdict.saw)
        roots.append(verdict)
    for verdict in blocked:
        if verdict.blocked_by not in ran and str(verdict.blocked_by) not in seen:
            seen.add(str(verdict.blocked_by))
            roots.append(verdict)
    return roots


def _sign(out: Console, outcome: Outcome) -> str:
    fancy, plain = _SIGNS[outcome]
    return fancy if (out.encoding or "").lower().startswith("utf") else plain


def _points_text(verdict: Verdict) -> str:
    return f"{verdict.score:g}/{verdict.max_score:g}"


def _heading(out: Console, verdict: Verdict) -> None:
    style = _STYLES[verdict.outcome]
    left = f"{_sign(out, verdict.outcome)} {verdict.id}"
    right = _points_text(verdict)
    gap = max(out.width - len(left) - len(right) - 1, 1)
    out.print(Text.assemble((left, f"bold {style}"), " " * gap, (right, style)), soft_wrap=True)


def _open(out: Console, verdict: Verdict) -> None:
    _heading(out, verdict)
    for line in textwrap.wrap(verdict.title + ".", out.width - 4):
        out.print(Text("  " + line))
    if verdict.outcome == Outcome.BLOCKED:
        _field(out, " ", "blocked", f"until {verdict.blocked_by} passes", 2)
    _field(out, " ", "we did", verdict.did, _MOST_LINES["did"])
    _field(out, " ", "expected", verdict.expected, _MOST_LINES["expected"])
    _field(out, " ", "saw", verdict.saw, _MOST_LINES["saw"], style="bold")
    for line in verdict.log[-_MOST_LINES["log"] :]:
        _field(out, " ", "log", line, 1, style="dim")
    if verdict.outcome != Outcome.ERROR:
        _field(out, " ", "ask", verdict.ask, _MOST_LINES["ask"], style="cyan")
        _field(out, " ", "read", verdict.read, 1)
    _field(out, " ", "again", verdict.again, 2)
    if verdict.curl:
        _paste(out, verdict.curl[-1])
    out.print()


def _field(out: Console, lead: str, name: str, text: str, most: int, style: str = "") -> None:
    if not text:
        return
    width = out.width - 13
    lines = [part for line in text.splitlines() for part in (textwrap.wrap(line, width) or [""])]
    if len(lines) > most:
        lines = [*lines[:most]]
        lines[-1] = lines[-1][: width - 2] + " …"
    for index, line in enumerate(lines):
        label = name if index == 0 else ""
        out.print(Text.assemble((f" {lead} {label:<9}", "dim"), " ", (line, style)), soft_wrap=True)


def _paste(out: Console, curl: str) -> None:
    """A curl line stands unbroken, so that it can be copied whole."""
    if len(curl) > out.width * _MOST_LINES["paste"]:
        return
    out.print(Text.assemble(("   paste     ", "dim"), curl), soft_wrap=True)


def _line(out: Console, verdict: Verdict) -> None:
    style = _STYLES[verdict.outcome]
    right = _points_text(verdict)
    left = f"{_sign(out, verdict.outcome)} {verdict.id}"
    room = out.width - len(left) - len(right) - 4
    title = textwrap.shorten(verdict.title, room, placeholder=" …") if room > 12 else ""
    gap = max(out.width - len(left) - len(title) - len(right) - 3, 1)
    out.print(Text.assemble((left, style), "  ", (title, "dim"), " " * gap, right), soft_wrap=True)


def _blocked(out: Console, blocked: Sequence[Verdict]) -> None:
    for by, group in groupby(sorted(blocked, key=lambda v: str(v.blocked_by)), key=lambda v: v.blocked_by):
        names = [v.id.partition(".")[2] for v in group]
        sign = _sign(out, Outcome.BLOCKED)
        heading = f"{sign} {len(names)} more wait for {by}"
        out.print(Text(heading, style=_STYLES[Outcome.BLOCKED]))
        if len(names) <= 6:
            _columns(out, names)


def _passed(out: Console, passed: Sequence[Verdict], *, compact: bool) -> None:
    if not compact:
        for verdict in passed:
            _line(out, verdict)
        return
    sign = _sign(out, Outcome.PASSED)
    for file, group in groupby(passed, key=lambda v: v.id.rpartition(".")[0]):
        verdicts = list(group)
        points = sum(v.score for v in verdicts)
        names = f" {chr(0xB7) if sign == '✓' else '|'} ".join(v.id.rpartition(".")[2] for v in verdicts)
        head = f"{sign} {file}"
        label = Text.assemble((f"{head:<22}", "green"), (f"{len(verdicts):>3} passed {points:>5.4g}  ", ""))
        room = out.width - len(label)
        label.append(names if len(names) <= room else names[: room - 2] + " …", style="dim")
        out.print(label, soft_wrap=True)


def _columns(out: Console, names: Sequence[str]) -> None:
    for line in textwrap.wrap(", ".join(names), out.width - 4, break_long_words=False):
        out.print(Text("    " + line, style="dim"))


def _points(out: Console, lab: Lab, duration_s: float) -> None:
    share = lab.score / lab.max_score if lab.max_score else 0.0
    filled = int(share * 20)
    fancy = (out.encoding or "").lower().startswith("utf")
    bar = ("█" * filled + "░" * (20 - filled)) if fancy else ("#" * filled + "." * (20 - filled))
    counts = _counts(lab.checks)
    style = "green" if share == 1 else "yellow"
    out.print(
        Text.assemble(
            (f"{lab.id} {lab.title}  ", "bold"),
            (bar, style),
            f" {lab.score:g}/{lab.max_score:g} points  {counts}",
        ),
        soft_wrap=True,
    )


def _counts(verdicts: Iterable[Verdict]) -> str:
    outcomes = [v.outcome for v in verdicts]
    return ", ".join(f"{outcomes.count(o)} {o.value}" for o in Outcome if o in outcomes)


def _next(
    report: Report,
    failed: Sequence[Verdict],
    blocked: Sequence[Verdict],
    problems: Sequence[str],
    course: Course | None,
) -> str:
    took = f"{report.duration_s:.1f} s."
    if problems or any(v.outcome == Outcome.ERROR for v in failed):
        return f"{took} The grader itself had a problem: no points are lost by it. Tell your instructor."
    if failed or blocked:
        first = [*failed, *blocked][0]
        return f"{took} Next: {first.again}"
    handout = _handout_after(report, course)
    return f"{took} All passed." + (f" Next: {handout}" if handout else "")


def _handout_after(report: Report, course: Course | None) -> str:
    if course is None or not report.labs:
        return ""
    ids = list(course.titles)
    last = report.labs[-1].id
    if last not in ids or ids.index(last) + 1 == len(ids):
        return ""
    return course.handouts[ids[ids.index(last) + 1]]


def to_text(report: Report, course: Course | None = None) -> str:
    """The report as plain text, 80 columns wide, without colour."""
    file = io.StringIO()
    out = Console(file=file, width=WIDTH, no_color=True, highlight=False, emoji=False, markup=False)
    render(out, report, course=course)
    return file.getvalue()
