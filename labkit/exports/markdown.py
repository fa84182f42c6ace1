"""The report as Markdown, for the summary of a CI run."""

from __future__ import annotations

from labkit.checks import Outcome
from labkit.evidence import harmless
from labkit.exports.digest import digest
from labkit.report import Course, Lab, Report, Verdict

_SIGNS = {Outcome.PASSED: "✅", Outcome.FAILED: "❌", Outcome.BLOCKED: "⏸️", Outcome.ERROR: "⚠️"}


def to_text(report: Report, course: Course | None = None) -> str:
    """Points by lab, then every failure with its whole feedback, then what passed, folded away."""
    lines = [
        f"# {report.score:g} of {report.max_score:g} points",
        "",
        "| Lab | Points | Checks |",
        "|---|---|---|",
    ]
    lines += [_row(lab) for lab in report.labs]
    lines.append("")
    found = digest(report)
    for group in found.together:
        lines += [f"## {_SIGNS[Outcome.ERROR]} {len(group)} checks could not be run", ""]
        lines += [*_code(group[0].saw), ""]
    for verdict in found.opened:
        lines += _feedback(verdict)
    if found.waiting:
        lines += ["## Waiting for another check", ""]
        lines += [f"- `{v.id}` waits for `{v.blocked_by}`" for group in found.waiting.values() for v in group]
        lines.append("")
    if advice := [text for verdict in report.verdicts() for text in verdict.advice]:
        lines += ["## Advice, not graded", "", *_code("\n".join(advice)), ""]
    if passed := found.passed:
        lines += ["<details><summary>Passed</summary>", ""]
        lines += [f"- {_SIGNS[v.outcome]} `{v.id}` {v.score:g}/{v.max_score:g}: {v.title}" for v in passed]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _row(lab: Lab) -> str:
    counts = ", ".join(
        f"{sum(v.outcome == outcome for v in lab.checks)} {outcome.value}"
        for outcome in Outcome
        if any(v.outcome == outcome for v in lab.checks)
    )
    return f"| {lab.id} {lab.title} | {lab.score:g} / {lab.max_score:g} | {counts} |"


def _feedback(verdict: Verdict) -> list[str]:
    lines = [f"## {_SIGNS[verdict.outcome]} {verdict.title}", ""]
    lines.append(f"`{verdict.id}`, {verdict.score:g} of {verdict.max_score:g} points")
    lines.append("")
    for name, text in (("We did", verdict.did), ("We expected", verdict.expected), ("We saw", verdict.saw)):
        if text:
            lines += [f"**{name}**", "", *_code(text), ""]
    if verdict.blocked_by:
        lines += [f"Blocked until `{verdict.blocked_by}` passes.", ""]
    if verdict.log:
        lines += ["**The service's log**", "", *_code("\n".join(verdict.log)), ""]
    if verdict.outcome != Outcome.ERROR:
        lines += [f"> {verdict.ask}", "", f"Read [{verdict.read}]({verdict.read})."]
    lines += [f"Again: `{verdict.again}`", ""]
    if verdict.curl:
        lines += [*_code("\n".join(verdict.curl), "sh"), ""]
    return lines


def _code(text: str, language: str = "text") -> list[str]:
    """A code block that nothing in the text can close."""
    ticks = "`" * 3
    while ticks in text:
        ticks += "`"
    return [f"{ticks}{language}", *(harmless(line) for line in text.split("\n")), ticks]
