"""Processes that are nobody's children: started apart from the run, found and killed with their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

import labkit
from labkit.errors import LabError
from labkit.postgres.state import Account, run_as

_KILL_PATIENCE_S = 10.0
_POLL_S = 0.005


def clean_environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: nothing of the caller's but where programs are found."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def spawn_detached(
    command: Sequence[str],
    log: Path,
    account: Account | None = None,
    keep_open: Sequence[int] = (),
    environment: dict[str, str] | None = None,
) -> int:
    """Start a program that is nobody's child, in a session of its own, writing to `log`; its process id.

    The shell in between ends at once, so the program never becomes a zombie of ours, no Ctrl-C reaches it,
    and whoever ends our process tree does not end it.
    """
    try:
        with log.open("ab") as output:
            shell = subprocess.run(
                ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                pass_fds=keep_open,
                cwd="/",
                env=clean_environment() if environment is None else environment,
                check=True,
                **run_as(account),
            )
        return int(shell.stdout)
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(
            f"{Path(command[0]).name} could not be started: {error}.",
            "Is the machine out of memory or processes, or the disk full? Then try again.",
        ) from error


def spawn_keeper(duty: str, folder: Path, descriptor: int, log: Path) -> int:
    """Start `keeper.py` for a folder, with one inherited descriptor; its process id."""
    code = (
        "import sys; sys.path.append(sys.argv[1]); "
        "from labkit.postgres.keeper import main; main(*sys.argv[2:])"
    )
    home = str(Path(labkit.__file__).parents[1])
    environment = clean_environment()
    environment |= {
        name: os.environ[name]
        for name in ("HOME", "LAB_STATE_DIR", "PYTHONPATH", "TMPDIR", "XDG_CACHE_HOME")
        if name in os.environ
    }
    command = [sys.executable, "-P", "-c", code, home, duty, str(folder), str(descriptor)]
    log.unlink(missing_ok=True)
    return spawn_detached(command, log, keep_open=[descriptor], environment=environment)


def kill(pid: int) -> None:
    """Kill a server and its children with SIGKILL and wait until they are gone."""
    doomed = list(family(pid))
    for process in doomed:
        with suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + _KILL_PATIENCE_S
    while any(exists(process.pid) for process in doomed) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def family(pid: int) -> Iterator[psutil.Process]:
    """A process and all its descendants, itself first."""
    with suppress(psutil.NoSuchProcess):
        postmaster = psutil.Process(pid)
        yield postmaster  # first: a frozen or killed postmaster has no more children
        yield from postmaster.children(recursive=True)


def exists(pid: int) -> bool:
    """Whether the process is there; one that has ended and not been waited for is not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
