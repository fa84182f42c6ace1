"""A project: a folder with a Procfile, and the environment its processes get."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import UsageError

PROCESS_TYPES = ("api", "migrate", "migrate-one", "rollback-one", "worker", "test")
_LINE = re.compile(r"^([A-Za-z0-9_-]+)\s*:\s*(.*)$")
_SHELL_WORDS = {"&&", "||", "|", ";", ">", ">>", "<", "2>&1", "&"}


class ProjectError(Exception):
    """The project's own mistake. `expected` and `saw` are for the student."""

    def __init__(self, expected: str, saw: str) -> None:
        self.expected = expected
        self.saw = saw
        super().__init__(f"expected {expected}\nsaw {saw}")


@dataclass(frozen=True)
class Project:
    """A project's folder and what its Procfile says: process type → command as typed."""

    folder: Path
    processes: Mapping[str, str]

    def has(self, process_type: str) -> bool:
        return process_type in self.processes

    def command(self, process_type: str) -> list[str]:
        """The command of a process type, split as a POSIX command line; ProjectError if it cannot run."""
        if process_type not in self.processes:
            close = difflib.get_close_matches(process_type, self.processes, n=1, cutoff=0.5)
            there = ", ".join(f"{name}" for name in self.processes) or "none at all"
            raise ProjectError(
                f"a line `{process_type}: <command>` in {self.folder.name}/Procfile",
                f"process types there: {there}" + (f" (is `{close[0]}` a typo?)" if close else ""),
            )
        typed = self.processes[process_type]
        try:
            words = shlex.split(typed)
        except ValueError as error:
            raise ProjectError(
                f"a command for `{process_type}` that can be split into words",
                f"{typed!r}: {str(error).lower()}",
            ) from None
        if not words:
            raise ProjectError(
                f"a command after `{process_type}:` in the Procfile", "nothing after the colon"
            )
        if shell := next((w for w in words if w in _SHELL_WORDS or w.endswith(";")), None):
            raise ProjectError(
                f"one plain command for `{process_type}`: it runs without a shell, so that signals reach it",
                f"{typed!r} uses the shell's {shell!r}",
            )
        if re.match(r"^[A-Z_]+=", words[0]):
            raise ProjectError(
                f"a command for `{process_type}` that starts with a program (it runs without a shell)",
                f"{typed!r} starts with the assignment {words[0]!r}",
            )
        return words


def load(folder: Path) -> Project:
    """Read the project in `folder`.

    UsageError if there is no such folder; ProjectError if its Procfile is missing or cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(
            f"There is no project folder at {folder}.",
            "Name the folder that holds the Procfile: --project DIR.",
        )
    procfile = folder / "Procfile"
    try:
        text = procfile.read_text(encoding="utf-8")
    except FileNotFoundError:
        similar = [entry.name for entry in folder.iterdir() if entry.name.lower().startswith("procfile")]
        raise ProjectError(
            f"a file named Procfile in {folder.name}/",
            f"no such file, but {', '.join(similar)}" if similar else "no such file",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError("a Procfile that is readable UTF-8 text", str(error)) from None
    return Project(folder.resolve(), _parse(text))


def _parse(text: str) -> dict[str, str]:
    processes: dict[str, str] = {}
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.match(stripped)
        if not match:
            raise ProjectError(
                "Procfile lines of the form `type: command`", f"line {number}: {stripped[:100]!r}"
            )
        name, command = match.groups()
        if name in processes:
            raise ProjectError("each process type once in the Procfile", f"`{name}` again in line {number}")
        processes[name] = command
    return processes


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a project's process: a few basics of ours, then the contract's variables.

    `python`, `alembic` and `pytest` are found in the environment that runs the checks.
    """
    scripts = os.path.dirname(sys.executable)
    basics = {name: os.environ[name] for name in ("HOME", "TMPDIR", "USER", "LOGNAME") if name in os.environ}
    path = os.environ.get("PATH", os.defpath)
    return {
        **basics,
        "PATH": f"{scripts}{os.pathsep}{path}",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
