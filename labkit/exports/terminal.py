"""The report in the terminal: what the student sees twenty times an evening, on one 80 × 40 screen."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from labkit.checks import Outcome
from labkit.evidence import harmless
from labkit.exports.digest import Digest, digest
from labkit.report import Course, Lab, Report, Verdict

WIDTH = 80
HEIGHT = 40
_OPENED = 4
"""How many failures are shown whole; the rest in a line each. The first is the one to mend first."""
_MOST_LINES = {"title": 2, "did": 3, "expected": 3, "saw": 9, "ask": 3, "log": 3, "problem": 8, "advice": 4}
_MOST_PASTE_LINES = 4
_MOST_ADVICE = 2
"""How many pieces of advice are shown; the stored report has them all."""
_LABEL = 13
"""Columns in front of a field's text."""

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


def render(
    out: Console,
    report: Report,
    *,
    course: Course | None = None,
    problems: Sequence[str] = (),
    everything: bool = False,
    interrupted: bool = False,
) -> None:
    """Print the report. `problems` are the grader's own; `everything` opens every failure and lists
    every check; `interrupted`: the run was stopped before its end."""
    page = _Page(out, interrupted)
    for line in page.whole(report, course, problems, everything):
        out.print(line, soft_wrap=True)


def to_text(report: Report, course: Course | None = None) -> str:
    """The report as plain text, 80 columns wide, without colour."""
    file = io.StringIO()
    render(console(file, "no"), report, course=course)
    return file.getvalue()


class _Page:
    """Makes the lines of a report for one console."""

    def __init__(self, out: Console, interrupted: bool) -> None:
        self.out = out
        self.interrupted = interrupted
        self.width = out.width
        self.fancy = (out.encoding or "").lower().startswith("utf")

    def whole(
        self, report: Report, course: Course | None, problems: Sequence[str], everything: bool
    ) -> list[Text]:
        found = digest(report)
        most = len(found.opened) if everything else _OPENED
        upper = [line for verdict in found.opened[:most] for line in self.open(verdict)]
        upper += [line for group in found.together for line in self.together(group)]
        if rest := found.opened[most:]:
            upper += [*(self.line(verdict) for verdict in rest), Text()]
        for by, group in found.waiting.items():
            upper += self.waiting(by, group)
        advice = [text for verdict in report.verdicts() for text in verdict.advice]
        lower = [line for text in advice[:_MOST_ADVICE] for line in self.field(" ", "advice", text, "advice")]
        lower += [line for text in problems for line in self.field("!", "grader", text, "problem", "magenta")]
        lower += [self.points(lab) for lab in report.labs]
        lower += self.paragraph(self.next(report, found, problems, course), "bold")
        return upper + self.passed(found.passed, everything, HEIGHT - len(upper) - len(lower) - 1) + lower

    # -- one check -----------------------------------------------------------------------------------------

    def open(self, verdict: Verdict) -> list[Text]:
        """Everything that there is to say about a check."""
        style = _STYLES[verdict.outcome]
        lines = [self.between(Text(self.named(verdict), f"bold {style}"), Text(_worth(verdict), style))]
        lines += [Text(f"  {text}") for text in self.cut(f"{verdict.title}.", self.width - 4, "title")]
        if verdict.outcome == Outcome.BLOCKED:
            lines += self.field(" ", "blocked", f"until {verdict.blocked_by} passes", "title")
        lines += self.field(" ", "we did", verdict.did, "did")
        lines += self.field(" ", "expected", verdict.expected, "expected")
        lines += self.field(" ", "saw", verdict.saw, "saw", "bold")
        for text in verdict.log[-_MOST_LINES["log"] :]:
            lines.append(self.labelled(" ", "log", self.fit(harmless(text), self.width - _LABEL), "dim"))
        if verdict.outcome != Outcome.ERROR:
            lines += self.field(" ", "ask", verdict.ask, "ask", "cyan")
            lines.append(self.labelled(" ", "read", harmless(verdict.read)))
        lines.append(self.labelled(" ", "again", harmless(verdict.again)))
        if verdict.curl and cell_len(verdict.curl[-1]) <= self.width * _MOST_PASTE_LINES - _LABEL:
            # Unbroken, so that it can be copied whole.
            lines.append(self.labelled(" ", "paste", harmless(verdict.curl[-1])))
        return [*lines, Text()]

    def line(self, verdict: Verdict) -> Text:
        """A check in one line."""
        left = Text(self.named(verdict), _STYLES[verdict.outcome])
        room = self.width - left.cell_len - len(_worth(verdict)) - 3
        if room > 12:
            left.append(f"  {self.fit(harmless(verdict.title), room - 1)}", "dim")
        return self.between(left, Text(_worth(verdict)))

    def named(self, verdict: Verdict) -> str:
        return f"{self.sign(verdict.outcome)} {harmless(verdict.id)}"

    def sign(self, outcome: Outcome) -> str:
        fancy, plain = _SIGNS[outcome]
        return fancy if self.fancy else plain

    # -- many checks ---------------------------------------------------------------------------------------

    def together(self, group: Sequence[Verdict]) -> list[Text]:
        """Errors with one cause."""
        heading = f"{self.sign(Outcome.ERROR)} {len(group)} checks could not be run"
        return [
            Text(heading, f"bold {_STYLES[Outcome.ERROR]}"),
            *self.field(" ", "saw", group[0].saw, "saw", "bold"),
            Text(),
        ]

    def waiting(self, by: str, group: Sequence[Verdict]) -> list[Text]:
        """Checks that wait for another one."""
        wait = "waits" if len(group) == 1 else "wait"
        heading = f"{self.sign(Outcome.BLOCKED)} {len(group)} more {wait} for {harmless(by)}"
        lines = [Text(heading, _STYLES[Outcome.BLOCKED])]
        if len(group) <= 6:
            names = ", ".join(v.id.partition(".")[2] for v in group)
            lines += [Text(f"    {text}", "dim") for text in self.cut(names, self.width - 4, "did")]
        return lines

    def passed(self, passed: Sequence[Verdict], everything: bool, room: int) -> list[Text]:
        """What passed: a line a check if they are few or all are wanted, else a line a file, else, when there
        is no room for that, a line."""
        if everything or len(passed) <= min(16, room):
            return [self.line(verdict) for verdict in passed]
        files = [(file, list(group)) for file, group in groupby(passed, lambda v: v.id.rpartition(".")[0])]
        if len(files) <= room:
            return [self.file(file, group) for file, group in files]
        names = ", ".join(f"{file.partition('.')[2]} {len(group)}" for file, group in files)
        heading = f"{self.sign(Outcome.PASSED)} {len(passed)} passed: "
        return [Text.assemble((heading, "green"), (self.fit(names, self.width - len(heading)), "dim"))]

    def file(self, file: str, group: Sequence[Verdict]) -> Text:
        points = sum(v.score for v in group)
        label = Text.assemble(
            (f"{f'{self.sign(Outcome.PASSED)} {file}':<22}", "green"),
            f"{len(group):>3} passed {points:>5.4g}  ",
        )
        names = (" · " if self.fancy else " | ").join(v.id.rpartition(".")[2] for v in group)
        return label.append(self.fit(names, self.width - label.cell_len), "dim")

    def points(self, lab: Lab) -> Text:
        """A lab's points, with a bar as long as there is room for."""
        outcomes = [v.outcome for v in lab.checks]
        counts = ", ".join(f"{outcomes.count(o)} {o.value}" for o in Outcome if o in outcomes)
        before = f"{lab.id} {lab.title}  "
        after = f" {lab.score:g}/{lab.max_score:g} points  {counts}"
        length = min(max(self.width - cell_len(before) - cell_len(after), 0), 20)
        share = lab.score / lab.max_score if lab.max_score else 0.0
        filled = int(share * length)
        full, empty = ("█", "░") if self.fancy else ("#", ".")
        bar = full * filled + empty * (length - filled)
        return Text.assemble((before, "bold"), (bar, "green" if share == 1 else "yellow"), after)

    def next(self, report: Report, found: Digest, problems: Sequence[str], course: Course | None) -> str:
        took = f"{report.duration_s:.1f} s."
        if self.interrupted:
            return f"{took} Interrupted: this is how far the checks came."
        if problems or report.verdicts(Outcome.ERROR):
            return (
                f"{took} The grader itself had a problem: no points are lost by it. "
                "If you cannot mend what it says above, tell your instructor."
            )
        if found.opened:
            return f"{took} Next: {harmless(found.opened[0].again)}"
        handout = _handout_after(report, course)
        return f"{took} All passed." + (f" Next: {handout}" if handout else "")

    # -- text into lines -----------------------------------------------------------------------------------

    def field(self, lead: str, name: str, text: str, kind: str, style: str = "") -> list[Text]:
        """A named text over several lines; nothing at all if there is none."""
        lines = self.cut(text, self.width - _LABEL, kind) if text else []
        return [
            self.labelled(lead if index == 0 else " ", name if index == 0 else "", line, style)
            for index, line in enumerate(lines)
        ]

    def labelled(self, lead: str, name: str, text: str, style: str = "") -> Text:
        return Text.assemble((f" {lead} {name:<9} ", "dim"), (text, style))

    def paragraph(self, text: str, style: str) -> list[Text]:
        return [Text(line, style) for line in self.wrap(text, self.width)]

    def between(self, left: Text, right: Text) -> Text:
        gap = max(self.width - left.cell_len - right.cell_len - 1, 1)
        return Text.assemble(left, " " * gap, right)

    def cut(self, text: str, width: int, kind: str) -> list[str]:
        """The text in lines of at most `width` columns, no more of them than its kind may have.

        Indented lines are an excerpt of a log, of which the end tells most: there the beginning goes first.
        Of what was done the last tells most: what went before may have a line each.
        """
        most = _MOST_LINES[kind]
        given = [harmless(line) for line in text.split("\n")]
        parts = [self.wrap(line, width) for line in given]
        if kind == "did" and sum(map(len, parts)) > most:
            parts = [*([self.fit(line, width)] for line in given[:-1]), parts[-1]]
        while sum(map(len, parts)) > most:
            excerpt = [index for index, part in enumerate(parts) if part[0].startswith("  ")]
            if len(excerpt) < 2:
                break
            del parts[excerpt[0]]
        lines = [line for part in parts for line in part]
        if len(lines) > most:
            lines = [*lines[: most - 1], self.fit(f"{lines[most - 1]}{' ' * width}", width)]
        return lines

    def wrap(self, line: str, width: int) -> list[str]:
        """One line of text in lines of at most `width` columns, each indented like the text."""
        indent = line[: len(line) - len(line.lstrip())][: width // 2]
        folded = Text(line.strip()).wrap(self.out, width - cell_len(indent))
        return [indent + part.plain.rstrip() for part in folded] or [""]

    def fit(self, text: str, width: int) -> str:
        """The text in at most `width` columns."""
        if cell_len(text) <= width:
            return text
        return set_cell_size(text, max(width - 2, 0)).rstrip() + " …"


def _worth(verdict: Verdict) -> str:
    return f"{verdict.score:g}/{verdict.max_score:g}"


def _handout_after(report: Report, course: Course | None) -> str:
    if course is None or not report.labs:
        return ""
    ids: Iterable[str] = course.titles
    after = dict(zip(ids, list(ids)[1:], strict=False))
    return course.handouts.get(after.get(report.labs[-1].id, ""), "")
