"""Coverage, measured in the process of a student's tests by our own settings and nobody else's."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import coverage

from labkit.suite.wire import COVERAGE

_measured: coverage.Coverage | None = None


def begin() -> None:
    """Measure from now on, if that is wanted; statements, none excluded."""
    global _measured
    if _measured is None and os.environ.get(COVERAGE):
        folder, file = os.environ[COVERAGE].split("\n")
        _measured = measurement(Path(folder), f"{file}.{os.getpid()}")
        _measured.start()


def drop() -> None:
    """Stop measuring, and forget it."""
    global _measured
    if _measured is not None:
        _measured.stop()
        _measured = None


def save() -> None:
    """Stop measuring, and write what was seen."""
    if _measured is not None:
        _measured.stop()
        _measured.save()


def measurement(folder: Path, file: str) -> coverage.Coverage:
    """A measurement of all Python files in `folder` (or of that file), kept in `file`."""
    concurrency = ["thread"]
    if importlib.util.find_spec("greenlet"):  # SQLAlchemy's asynchronous side runs in them
        concurrency.append("greenlet")
    measured = coverage.Coverage(
        data_file=file,
        config_file=False,
        source=[str(folder)] if folder.is_dir() else None,
        include=None if folder.is_dir() else [str(folder)],
        concurrency=concurrency,
        messages=False,
    )
    measured.set_option("report:exclude_lines", [])
    measured.set_option("report:exclude_also", [])
    measured.set_option("report:partial_branches", [])
    return measured
