"""Exports of a report: one file a format, each with a `to_text(report, course)`."""

from __future__ import annotations

from labkit.errors import UsageError
from labkit.exports import markdown, terminal
from labkit.report import Course, Report

FORMS = {"terminal": terminal.to_text, "markdown": markdown.to_text}


def export(report: Report, form: str, course: Course | None = None) -> str:
    """The report as text in the named form; UsageError if there is no such form."""
    if form not in FORMS:
        raise UsageError(f"There is no form {form!r}.", f"There are: {', '.join(FORMS)}")
    return FORMS[form](report, course)
