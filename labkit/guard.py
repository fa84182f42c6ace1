"""Kills what a run leaves behind, at its end and when the run itself is killed.

What was started is known by its process group, and what has left that group (a daemon, in a session of its
own) by a word in its environment. For a run that is killed, this file runs as a process of its own (standard
library only, so that it starts in no time). It reads process group ids from its standard input, `+123` for
one that started and `-123` for one that is gone, and `=mark folder` for the run's mark and temporary folder,
and clears up when the pipe ends: the kernel closes it however the run came to die.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from functools import cache
from itertools import count
from pathlib import Path

MARK = "LAB_RUN"
"""The variable that says in the environment of a project's process which run it belongs to."""

_KILL_S = 2.0
"""For how long processes are killed that start others as fast as they are killed."""


def _watch() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    mark, folder = "", ""
    for line in sys.stdin:
        if line[0] == "=":
            mark, _, folder = line[1:].rstrip("\n").partition(" ")
            continue
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    if mark:
        kill_marked(mark)
        shutil.rmtree(folder, ignore_errors=True)


def kill_marked(mark: str) -> None:
    """Kill all processes whose MARK begins with `mark`, and those that they start meanwhile."""
    until = time.monotonic() + _KILL_S
    while (found := marked(mark)) and time.monotonic() < until:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> list[int]:
    """The processes of this user whose MARK begins with `mark`; those that have ended are none."""
    word = f"{MARK}={mark}".encode()
    if not os.path.isdir("/proc/self"):
        command = ["ps", "-axEww", "-o", "pid=,command="]
        listed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return [int(line.split()[0]) for line in listed.stdout.splitlines() if b" " + word in line]
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            if b"\0" + word in b"\0" + Path("/proc", pid, "environ").read_bytes():
                found.append(int(pid))
    return found


_watched: set[int] = set()
_one_at_a_time = threading.Lock()
_numbers = count(1)
_folder: str | None = None


@cache
def _run() -> str:
    """What the marks of this run begin with."""
    return f"{secrets.token_hex(8)}-"


def _temporary() -> str:
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="lab-")
        atexit.register(sweep)
    return _folder


def mark() -> dict[str, str]:
    """Variables for the environment of one more process: its mark, and the run's temporary folder."""
    with _one_at_a_time:
        known, folder = _folder, _temporary()
        if folder != known:
            _tell(f"={_run()} {folder}\n")
        return {MARK: f"{_run()}{next(_numbers):06}", "TMPDIR": folder}


def sweep() -> None:
    """Kill every process of this run that bears its mark, wherever it has gone, and delete the run's
    temporary folder."""
    global _folder
    with _one_at_a_time:
        if _folder is not None:
            kill_marked(_run())
            shutil.rmtree(_folder, ignore_errors=True)
            _folder = None
            atexit.unregister(sweep)


@cache
def _guard() -> subprocess.Popen[str]:
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    run = f"={_run()} {_folder}\n" if _folder else ""
    _write(guard, run + "".join(f"+{group}\n" for group in sorted(_watched)))
    return guard


def _write(guard: subprocess.Popen[str], text: str) -> None:
    assert guard.stdin is not None
    guard.stdin.write(text)
    guard.stdin.flush()


def _tell(line: str) -> None:
    guard = _guard()
    try:
        _write(guard, line)
    except BrokenPipeError:  # somebody killed it: a new one begins with all that is watched
        guard.kill()
        with contextlib.suppress(BrokenPipeError):
            guard.communicate()
        _guard.cache_clear()
        _guard()


def watch(process_group: int) -> None:
    """Kill this process group when the present process ends in whatever way."""
    with _one_at_a_time:
        _watched.add(process_group)
        _tell(f"+{process_group}\n")


def forget(process_group: int) -> None:
    """The process group is gone."""
    with _one_at_a_time:
        _watched.discard(process_group)
        _tell(f"-{process_group}\n")


if __name__ == "__main__":
    _watch()
