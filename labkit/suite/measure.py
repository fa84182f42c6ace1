"""Coverage, measured in the process of a student's tests by our own settings and nobody else's."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import coverage

from labkit.suite import imports
from labkit.suite.wire import COVERAGE

NOT_MEASURED = (
    *("tests/*", "test/*", "*/tests/*", "test_*.py", "*_test.py", "conftest.py", "setup.py"),
    *("migrations/*", "alembic/*", "*/migrations/*", "scripts/*", "worker*", "*/worker*"),
    *(".*/*", "venv/*", "node_modules/*"),
)
"""What is not the API, in a project that has not put the API into a folder of that name."""

_measured: coverage.Coverage | None = None


@dataclass(frozen=True)
class Target:
    """What is measured: a folder, or a file; and what in that folder is left out, or what alone counts."""

    path: Path
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def files(self) -> list[str]:
        """The files that are measured, if they are known by name."""
        return [str(self.path / name) for name in self.only] or (
            [] if self.path.is_dir() else [str(self.path)]
        )

    @classmethod
    def of(cls, text: str) -> tuple[Self, Path]:
        """From the text that `written` has made: the target, and where the figures go."""
        path, without, only, figures = json.loads(text)
        return cls(Path(path), tuple(without), tuple(only)), Path(figures)

    def written(self, figures: Path) -> str:
        return json.dumps([str(self.path), self.without, self.only, str(figures)])


def target(project: Path, api: Sequence[str] = ()) -> Target:
    """The package api_service, or the module of that name; without either, what the command `api` loads, or
    all that may belong to the API where its text does not tell."""
    package = project / "api_service"
    if package.is_dir():
        return Target(package)
    module = package.with_suffix(".py")
    if module.is_file():
        return Target(module)
    loaded = imports.reached(project, api)
    if not loaded:
        return Target(project, NOT_MEASURED)
    root = project.resolve()
    return Target(root, only=tuple(sorted(str(file.relative_to(root)) for file in loaded)))


def begin() -> None:
    """Measure from now on, if that is wanted."""
    global _measured
    if _measured is None and os.environ.get(COVERAGE):
        target, figures = Target.of(os.environ[COVERAGE])
        _measured = measurement(target, f"{figures}.{os.getpid()}")
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


def measurement(target: Target, file: str) -> coverage.Coverage:
    """A measurement of all statements of the target, none excluded, kept in `file`."""
    concurrency = ["thread"]
    if importlib.util.find_spec("greenlet"):  # SQLAlchemy's asynchronous side runs in them
        concurrency.append("greenlet")
    measured = coverage.Coverage(
        data_file=file,
        config_file=False,
        source=None if target.files else [str(target.path)],
        include=target.files or None,
        omit=[str(target.path / left_out) for left_out in target.without] or None,
        concurrency=concurrency,
        messages=False,
    )
    measured.set_option("report:exclude_lines", [])
    measured.set_option("report:exclude_also", [])
    measured.set_option("report:partial_branches", [])
    return measured
