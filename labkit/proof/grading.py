"""A graded run of the checks in a process of its own, for everybody who proves something about them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit import report
from labkit.checks import Outcome
from labkit.errors import LabError
from labkit.report import Report


def grade(
    root: Path, labs: Sequence[str], file: Path, within_s: float, *options: str
) -> tuple[Report, list[str]]:
    """Run the checks of `labs` with these options of pytest; the report, which is written to `file`, and what
    the grader had to say that is not in it. LabError if there is no report, or not in time."""
    command = [sys.executable, "-m", "pytest", *(f"checks/{lab}" for lab in labs)]
    command += ["--report", str(file), "--graded", "-p", "no:cacheprovider", *options]
    try:
        ended = subprocess.run(
            command,
            cwd=root,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise LabError(
            f"The checks did not end within {within_s:.0f} s.", "Which check waits without a deadline?"
        ) from None
    if not file.exists():
        raise LabError(
            f"The checks ended with status {ended.returncode} and no report.",
            _end(ended.stdout + ended.stderr),
        )
    outcome = report.read(file)
    if ended.returncode in (0, 1) or outcome.verdicts(Outcome.ERROR):
        return outcome, []
    return outcome, [f"The checks ended with status {ended.returncode}. {_end(ended.stdout + ended.stderr)}"]


def _end(output: str, lines: int = 12) -> str:
    return "Their last words:\n" + "\n".join(output.rstrip().splitlines()[-lines:])
