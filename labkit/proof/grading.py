"""A graded run of the checks in a process of its own, for everybody who proves something about them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit import report
from labkit.checks import Outcome
from labkit.errors import LabError
from labkit.proof import warm
from labkit.report import Report


@dataclass(frozen=True)
class Graded:
    """A run that has ended. `told` is what the grader had to say that is not in the report; `pid` was its
    process, `output` is all that it printed."""

    report: Report
    told: list[str]
    pid: int
    output: str


def grade(
    root: Path,
    labs: Sequence[str],
    file: Path,
    within_s: float,
    *options: str,
    variables: Mapping[str, str] | None = None,
) -> tuple[Report, list[str]]:
    """Run the checks of `labs` with these options of pytest; the report, which is written to `file`, and what
    the grader had to say that is not in it. LabError if there is no report, or not in time."""
    graded = grade_closely(root, labs, file, within_s, "--graded", *options, variables=variables)
    return graded.report, graded.told


def grade_closely(
    root: Path,
    labs: Sequence[str],
    file: Path,
    within_s: float,
    *options: str,
    variables: Mapping[str, str] | None = None,
) -> Graded:
    """The same for those who look at the run itself, too: counted only if --graded is among the options.
    In the place of a lab may stand one file of its checks, "lab01/test_read.py".

    `variables` are added to its environment; with those of warm.warmed(), Python programs start warm."""
    command = [sys.executable, "-m", "pytest", *(f"checks/{lab}" for lab in labs)]
    command += ["--report", str(file), "-p", "no:cacheprovider", *options]
    command += warm.OPTIONS if variables and warm.SOCKET in variables else ()
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        said, _ = process.communicate(timeout=within_s)
    except BaseException as error:
        process.kill()
        process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise LabError(
            f"The checks did not end within {within_s:.0f} s.", "Which check waits without a deadline?"
        ) from None
    output = said.decode("utf-8", "replace")
    if not file.exists():
        raise LabError(f"The checks ended with status {process.returncode} and no report.", _end(output))
    outcome = report.read(file)
    told = []
    if process.returncode not in (0, 1) and not outcome.verdicts(Outcome.ERROR):
        told.append(f"The checks ended with status {process.returncode}. {_end(output)}")
    return Graded(outcome, told, process.pid, output)


def _end(output: str, lines: int = 12) -> str:
    return "Their last words:\n" + "\n".join(output.rstrip().splitlines()[-lines:])
