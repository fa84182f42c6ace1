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


@cache
def _guard() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )


def _tell(line: str) -> None:
    pipe = _guard().stdin
    assert pipe is not None
    pipe.write(line + "\n")
    pipe.flush()


def watch(process_group: int) -> None:
    """Kill this process group when the present process ends in whatever way."""
    _tell(f"+{process_group}")


def forget(process_group: int) -> None:
    """The process group is gone."""
    _tell(f"-{process_group}")


if __name__ == "__main__":
    _watch()
