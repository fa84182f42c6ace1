"""One PostgreSQL server as processes: started detached, found again from its files, stopped, frozen, killed."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import psutil

from labkit.errors import LabError
from labkit.postgres.state import Account, run_as

StopMode = Literal["smart", "fast", "immediate"]
STOP_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}

LOG_LIMIT = 4 << 20
"""A server's log is emptied when it is longer than this, in bytes."""

_PORTS = range(15000, 32000)
"""Below every system's range for outgoing connections: one of those can take a port that is free for a moment,
and a client that tries a closed port in that range can even connect to itself."""

_START_PATIENCE_S = 60.0
_STOP_PATIENCE_S = 10.0
_POLL_S = 0.005


class StartError(LabError):
    """PostgreSQL did not start; `log` is what it said."""

    def __init__(self, log: str) -> None:
        said = "\n".join(f"  {line}" for line in log.splitlines()[-12:]) or "  (nothing)"
        super().__init__(f"PostgreSQL did not start. Its last words:\n{said}", _remedy(log))
        self.log = log

    @property
    def port_taken(self) -> bool:
        """Whether somebody else listened on the port that the server was to have."""
        return "Address already in use" in self.log or "could not create any TCP/IP sockets" in self.log


@dataclass(frozen=True)
class Postmaster:
    """A running server: its main process and where it listens."""

    pid: int
    data: Path
    started: float
    port: int
    sockets: Path | None

    def alive(self) -> bool:
        """Whether that very process still runs."""
        return _is_postmaster(self.pid, self.data)


def clean_environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: nothing of the caller's but where programs are found."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def free_port(avoid: Sequence[int] = ()) -> int:
    """A port on 127.0.0.1 that nobody listens on and no outgoing connection will take."""
    for port in random.sample(_PORTS, 200):
        if port not in avoid and port_is_free(port):
            return port
    raise LabError(
        "No free port was found on 127.0.0.1.", "End some of the servers that run on this machine."
    )


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def spawn_detached(
    command: Sequence[str],
    log: Path,
    account: Account | None = None,
    keep_open: Sequence[int] = (),
    environment: dict[str, str] | None = None,
) -> int:
    """Start a program that is nobody's child, in a session of its own, writing to `log`; its process id.

    The shell in between ends at once, so the program never becomes a zombie of ours, no Ctrl-C reaches it, and
    whoever ends our process tree does not end it.
    """
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


def start(
    postgres: Path, data: Path, port: int, sockets: Path | None, log: Path, account: Account | None
) -> Postmaster:
    """Start a server on 127.0.0.1:`port` and wait until it answers; StartError if it does not."""
    log.touch(mode=0o600)
    bound_log(log)
    said_before = log.stat().st_size
    listen = [f"port={port}", f"unix_socket_directories={sockets or ''}"]
    options = [part for setting in listen for part in ("-c", setting)]
    try:
        pid = spawn_detached([str(postgres), "-D", str(data), *options], log, account)
    except (OSError, subprocess.SubprocessError) as error:
        raise StartError(str(error)) from error
    deadline = time.monotonic() + _START_PATIENCE_S
    while time.monotonic() < deadline:
        lines = _pid_file(data)
        if lines and lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready":
            return Postmaster(pid, data, float(lines[2]), port, sockets)
        if not _exists(pid):
            raise StartError(_read_from(log, said_before))
        time.sleep(_POLL_S)
    kill(pid)
    raise StartError(f"{_read_from(log, said_before)}\n(not ready after {_START_PATIENCE_S:.0f} s)")


def find(data: Path) -> Postmaster | None:
    """The server that runs on the folder `data`, from its pid file; None if that file is stale or not there."""
    lines = _pid_file(data)
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    try:
        pid, started, port = int(lines[0]), float(lines[2]), int(lines[3])
    except ValueError:
        return None
    if not _is_postmaster(pid, data):
        return None
    return Postmaster(pid, data, started, port, Path(lines[4]) if lines[4] else None)


def stop(postmaster: Postmaster, mode: StopMode = "fast") -> None:
    """Stop the server and wait until it is gone; it is killed when it does not obey in 10 s."""
    thaw(postmaster)
    with suppress(ProcessLookupError):
        os.kill(postmaster.pid, STOP_SIGNALS[mode])
    deadline = time.monotonic() + _STOP_PATIENCE_S
    while postmaster.alive():
        if time.monotonic() > deadline:
            kill(postmaster.pid)
            return
        time.sleep(_POLL_S)


def stop_on(data: Path) -> None:
    """Leave no process behind that works on the folder `data`: starting, running, or orphaned by a crash."""
    if (postmaster := find(data)) is not None:
        stop(postmaster, "immediate")
    deadline = time.monotonic() + _STOP_PATIENCE_S
    while (left := _processes_on(data)) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(_POLL_S)


def freeze(postmaster: Postmaster) -> None:
    """Stop the clocks of the server and all its children: connections stay open and nothing answers."""
    for process in _family(postmaster.pid):
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    for process in _family(postmaster.pid):  # born while we went through the list
        with suppress(psutil.NoSuchProcess):
            process.suspend()


def thaw(postmaster: Postmaster) -> None:
    """Undo `freeze`."""
    for process in _family(postmaster.pid):
        with suppress(psutil.NoSuchProcess):
            process.resume()


def kill(pid: int) -> None:
    """Kill a server and its children with SIGKILL and wait until they are gone."""
    family = list(_family(pid))
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + _STOP_PATIENCE_S
    while any(_exists(process.pid) for process in family) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def bound_log(log: Path) -> None:
    """Empty the log when it has grown past its limit (the server appends, so it goes on from the start)."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            os.truncate(log, 0)


def _family(pid: int) -> Iterator[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        postmaster = psutil.Process(pid)
        yield postmaster  # first: a frozen or killed postmaster has no more children
        yield from postmaster.children(recursive=True)


def _is_postmaster(pid: int, data: Path) -> bool:
    """Whether `pid` is a live server on `data`: ids are used again, after a reboot most of all."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(data) in process.cmdline()
    except psutil.Error:
        return False


def _exists(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _processes_on(data: Path) -> list[psutil.Process]:
    """Postmasters (or the shell about to start one), known by their arguments, and their children, by their folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "name", "status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        arguments = process.info["cmdline"] or []
        with suppress(psutil.Error, OSError):
            if ("-D", str(data)) in pairwise(arguments) or (
                str(process.info["name"] or "").startswith("postgres") and Path(process.cwd()) == data
            ):
                found.append(process)
    return found


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(errors="replace").splitlines()
    except OSError:
        return []


def _read_from(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read()[-8000:].decode(errors="replace")


def _remedy(log: str) -> str:
    for sign, remedy in {
        "No space left on device": "The disk is full: make room, then try again.",
        "Permission denied": "Run `lab down` and try again, or name another folder in LAB_STATE_DIR.",
        "Cannot allocate memory": "There is not enough memory: end other programs, then try again.",
        "could not create shared memory": "The system allows too little shared memory (SHMMAX, SHMALL): raise it.",
        "Address already in use": "Another program has the port: end it, or try again.",
    }.items():
        if sign in log:
            return remedy
    return "Run `lab down` and try again, or use another PostgreSQL: LAB_POSTGRES_URL=postgresql://…"
