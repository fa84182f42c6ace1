"""A project's scripts, run as their users run them: to the end, within a deadline, nobody at the keyboard."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from labkit import evidence, logs, services
from labkit.deadlines import allowed
from labkit.evidence import CheckFailed, shorten
from labkit.project import Project
from labkit.services import Service

SCRIPT_S = 20.0
"""How long a script may take that has little to do (scaled to the machine)."""

_INTO_A_CLOSED_PIPE = """
import os, subprocess, sys
reads, writes = os.pipe()
os.close(reads)
sys.exit(subprocess.call(sys.argv[1:], stdout=writes))
"""


@dataclass(frozen=True)
class Ended:
    """A script that has ended: its exit status (negative: the signal that ended it), and what it printed."""

    name: str
    code: int
    out: str
    err: str
    duration_s: float

    def __str__(self) -> str:
        lines = [shorten(line, 160) for line in self.said.splitlines() if line.strip()]
        how = services.how_it_ended(self.code)
        return f"it {how} and printed nothing" if not lines else "\n".join([f"it {how}:", *lines[-6:]])

    @property
    def said(self) -> str:
        """All that it printed, stdout first."""
        return f"{self.out}\n{self.err}"

    @property
    def json(self) -> dict[str, Any]:
        """Its stdout as a JSON object; fails the check if that is none."""
        try:
            parsed = json.loads(self.out)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            instead = shorten(self.out) or f"nothing there; on stderr: {shorten(self.err) or 'nothing'}"
            raise CheckFailed(f"one JSON object on stdout of {self.name}", instead)
        return parsed

    def expect(self, code: int, because: str) -> Self:
        """Fail the check unless it ended with that exit status, and without a traceback; `because` completes
        the sentence for the student."""
        if code:
            self.without_traceback()
        elif self.traceback:
            raise CheckFailed(f"exit status 0 {because}", f"Traceback … {self.traceback}")
        if self.code != code:
            raise CheckFailed(f"exit status {code} {because}", self)
        return self

    @property
    def traceback(self) -> str:
        """What a traceback that it printed ends with; empty if there is none."""
        if "Traceback (most recent call last)" not in self.said:
            return ""
        return shorten(logs.end_of_traceback(self.said)) or "cut off"

    def without_traceback(self) -> Self:
        """Fail the check if it printed a traceback."""
        if self.traceback:
            clear = f"a clear line of {self.name} and no traceback"
            raise CheckFailed(clear, f"Traceback … {self.traceback}")
        return self


def run(
    project: Project,
    name: str,
    *arguments: str,
    settings: Mapping[str, str],
    within: float = SCRIPT_S,
    cwd: Path | None = None,
    relative: bool = False,
    closed_pipe: bool = False,
) -> Ended:
    """Run scripts/`name` to its end; fails the check if there is none, or if it does not end in time.

    It runs in the folder `cwd`, the project's by default, and is called by its whole path or, `relative`, by
    the path from there. With `closed_pipe`, nobody reads its stdout.
    """
    began = time.monotonic()
    with started(
        project, name, *arguments, settings=settings, cwd=cwd, relative=relative, closed_pipe=closed_pipe
    ) as script:
        return ended(script, name, began, within)


def ended(script: Service, name: str, began: float, within: float = SCRIPT_S) -> Ended:
    """The end of a started script; fails the check if it does not come within that many seconds (scaled).

    `began` is when it was started, by time.monotonic()."""
    code = script.wait(within)
    if code is None:
        last = script.log(1)
        told = f"; its last line: {shorten(last[0], 160)}" if last else ""
        raise CheckFailed(f"{name} to end within {allowed(within):.0f} s", f"it still runs{told}")
    lines = logs.printed(script)

    def text(stream: str) -> str:
        return "\n".join(line.text for line in lines if line.stream == stream)

    return Ended(name, code, text("stdout"), text("stderr"), time.monotonic() - began)


@contextmanager
def started(
    project: Project,
    name: str,
    *arguments: str,
    settings: Mapping[str, str],
    cwd: Path | None = None,
    relative: bool = False,
    closed_pipe: bool = False,
) -> Iterator[Service]:
    """A running script, for the length of the block; otherwise like `run`."""
    path = project.folder / "scripts" / name
    if not path.is_file():
        raise CheckFailed(f"a script scripts/{name} in the project", "no such file")
    folder = (cwd or project.folder).resolve()
    called = str(path.relative_to(folder)) if relative else str(path)
    wrapper = ["python", "-c", _INTO_A_CLOSED_PIPE] if closed_pipe else []
    command = shlex.join([*wrapper, "python", called, *arguments])
    place = "in the folder above: " if relative else "in another folder: " if cwd else ""
    path_shown = (
        f"{project.folder.name}/scripts/{name}"
        if relative
        else f"…/scripts/{name}"
        if cwd
        else f"scripts/{name}"
    )
    shown = " ".join([f"{place}python", path_shown, *arguments])
    evidence.did(f"{shown} | true" if closed_pipe else shown, kind=f"script {name}")
    with services.running(
        replace(project, folder=folder, processes={name: command}), name, settings
    ) as script:
        yield script
