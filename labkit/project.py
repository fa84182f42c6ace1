"""A project: a folder with a Procfile, and the environment its processes get."""

from __future__ import annotations

import contextlib
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
_MOST_BYTES = 16_384
_LINE = re.compile(r"^([A-Za-z0-9_-]+)\s*:\s*(.*)$")
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""")
_SHELL_WORD = re.compile(r"(?:&&|\|\|?|;|&|\d?>>?|<|\d?>&\d)$")
_SHELL_SIGN = re.compile(r"\$\w+|\$[{(]|[<>|;&`]")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


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
            unknown = [name for name in self.processes if name not in PROCESS_TYPES]
            close = difflib.get_close_matches(process_type, unknown, n=1, cutoff=0.5)
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
        if shell := next((w for w in _bare(typed).split() if _SHELL_WORD.match(w) or w.endswith(";")), None):
            raise ProjectError(
                f"one plain command for `{process_type}`: it runs without a shell, so that signals reach it",
                f"{typed!r} uses the shell's {shell!r}",
            )
        if _ASSIGNMENT.match(words[0]):
            raise ProjectError(
                f"a command for `{process_type}` that starts with a program (it runs without a shell)",
                f"{typed!r} starts with the assignment {words[0]!r}",
            )
        return words

    def shell_sign(self, process_type: str) -> str | None:
        """What only a shell would understand in that command ($NAME, a glued >); quoted, it is just text."""
        found = _SHELL_SIGN.search(_bare(self.processes.get(process_type, "")))
        return found[0] if found else None


def load(folder: Path) -> Project:
    """Read the project in `folder`.

    UsageError if there is no such folder; ProjectError if its Procfile is missing or cannot be read.
    """
    if not os.path.isdir(folder):  # Path.is_dir raises where a parent cannot be entered
        raise UsageError(
            f"There is no project folder at {folder}.",
            "Name the folder that holds the Procfile: --project DIR.",
        )
    folder = folder.resolve()
    procfile = folder / "Procfile"
    try:
        with procfile.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        text = content.decode("utf-8")
    except FileNotFoundError:
        similar = _similar(folder)
        raise ProjectError(
            f"a file named Procfile in {folder.name}/",
            f"no such file, but {', '.join(similar)}" if similar else "no such file",
        ) from None
    except OSError as error:
        raise ProjectError("a Procfile that can be read", str(error.strerror).lower()) from None
    except UnicodeDecodeError as error:
        raise ProjectError(
            "a Procfile in UTF-8",
            f"byte {error.start + 1} of it ({error.object[error.start]:#04x}) is not UTF-8",
        ) from None
    if len(content) > _MOST_BYTES:
        raise ProjectError(f"a Procfile of at most {_MOST_BYTES:,} bytes", "a longer one")
    return Project(folder, _parse(text))


def _similar(folder: Path) -> list[str]:
    """Files that may be meant as the Procfile: misspelt ones, and those one folder further down."""
    with contextlib.suppress(OSError):
        inside = [f"{path.parent.name}/Procfile" for path in folder.glob("*/Procfile")]
        return sorted([*(e.name for e in folder.iterdir() if e.name.lower().startswith("procfile")), *inside])
    return []


def _bare(typed: str) -> str:
    """A command line with a letter in place of everything quoted."""
    return _QUOTED.sub("q", typed)


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
