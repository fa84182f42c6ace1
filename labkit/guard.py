"""Kills what a run leaves behind when the run itself is killed.

Runs as a process of its own (standard library only, so that it starts in no time). It reads process
group ids from its standard input, `+123` for one that started and `-123` for one that is gone, and
kills the rest when the pipe ends: the kernel closes it however the run came to die.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from functools import cache


def _watch() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


_watched: set[int] = set()
_one_at_a_time = threading.Lock()


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
    _write(guard, "".join(f"+{group}\n" for group in sorted(_watched)))
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
