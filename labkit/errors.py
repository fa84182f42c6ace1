"""What can go wrong that is nobody's failed check: each error says what happened and what to do next."""

from __future__ import annotations


class LabError(Exception):
    """Something around the checks failed; shown as a sentence, never as a traceback.

    `what` says what happened, `remedy` what the reader can do about it, both as plain sentences.
    """

    exit_status = 3
    """The grader itself failed: never the student's fault."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what if not remedy else f"{what}\n{remedy}")
        self.what = what
        self.remedy = remedy


class UsageError(LabError):
    """The command was called in a way that cannot work."""

    exit_status = 4
