"""Which statements were executed, and which functions were not."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from coverage.exceptions import CoverageException

from labkit.suite import measure
from labkit.suite.measure import Target


@dataclass(frozen=True)
class Function:
    """A function with statements that were not executed, of `statements` in all; without a name, what a file
    has outside its functions."""

    file: str
    name: str
    line: int
    missing: int
    statements: int

    def __str__(self) -> str:
        part = f"{self.missing} of {self.statements} lines not run"
        never = self.missing == self.statements
        if not self.name:
            return f"{self.file} " + ("never imported" if never else f"outside its functions {part}")
        return f"{self.file}:{self.line} {self.name}() " + ("never called" if never else part)


@dataclass(frozen=True)
class Coverage:
    """`percent` of the statements, and what is missing, the most first."""

    percent: float
    statements: int
    functions: list[Function]


def read(target: Target, figures: Path) -> Coverage:
    """The coverage of the target by all the figures that were written beside `figures`."""
    measured = measure.measurement(target, str(figures))
    written = [str(path) for path in figures.parent.glob(f"{figures.name}.*")]
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "coverage.json"
        try:
            measured.combine(written, strict=True)
            for file in target.files:  # those that were not even imported
                measured.get_data().touch_file(file)
            measured.json_report(outfile=str(out))
        except CoverageException:  # nothing was executed, or nothing can be read
            return Coverage(0.0, 0, [])
        report = json.loads(out.read_text(encoding="utf-8"))
    functions = [
        Function(
            _shown(name, target.path),
            function,
            region.get("start_line", 1),
            region["summary"]["missing_lines"],
            region["summary"]["num_statements"],
        )
        for name, file in report["files"].items()
        for function, region in file.get("functions", {}).items()
        if region["summary"]["missing_lines"]
    ]
    totals = report["totals"]
    return Coverage(
        float(totals["percent_covered"]),
        int(totals["num_statements"]),
        sorted(functions, key=lambda function: -function.missing),
    )


def _shown(name: str, folder: Path) -> str:
    """A file's path from the folder that holds the measured one."""
    path = Path(name).resolve()
    root = folder.resolve().parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name
