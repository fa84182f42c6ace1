"""One PostgreSQL server as processes: started detached, found again by its files, stopped, frozen, killed."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import psutil

from labkit.errors import LabError
from labkit.postgres.processes import exists, family, kill, spawn_detached
from labkit.postgres.state import Account

StopMode = Literal["smart", "fast", "immediate"]
STOP_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}

LOG_LIMIT = 4 << 20
"""A server's log is emptied when it is longer than this, in bytes."""

_PORTS = range(15000, 32000)
"""Below every system's range for outgoing connections: one of those can take a port that is free for a
moment, and a client that tries a closed port in that range can even connect to itself."""

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


def start(
    postgres: Path, data: Path, port: int, sockets: Path | None, log: Path, account: Account | None
) -> Postmaster:
    """Start a server on 127.0.0.1:`port` and wait until it answers; StartError if it does not."""
    log.touch(mode=0o600)
    bound_log(log)
    said_before = log.stat().st_size
    listen = [f"port={port}", f"unix_socket_directories={sockets or ''}"]
    options = [part for setting in listen for part in ("-c", setting)]
    pid = spawn_detached([str(postgres), "-D", str(data), *options], log, account)
    deadline = time.monotonic() + _START_PATIENCE_S
    while time.monotonic() < deadline:
        lines = _pid_file(data)
        if lines and lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready":
            return Postmaster(pid, data, float(lines[2]), port, sockets)
        if not exists(pid):
            raise StartError(_read_from(log, said_before))
        time.sleep(_POLL_S)
    kill(pid)
    raise StartError(f"{_read_from(log, said_before)}\n(not ready after {_START_PATIENCE_S:.0f} s)")


def find(data: Path) -> Postmaster | None:
    """The server that runs on the folder `data`, by its pid file; None if that is stale or not there."""
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
    """Stop the server and wait until it is gone; one that does not obey in 10 s is stopped at once."""
    thaw(postmaster)
    with suppress(ProcessLookupError):
        os.kill(postmaster.pid, STOP_SIGNALS[mode])
    deadline = time.monotonic() + _STOP_PATIENCE_S
    while postmaster.alive() and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if postmaster.alive() and mode != "immediate":
        stop(postmaster, "immediate")
    elif postmaster.alive():
        kill(postmaster.pid)


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
    for process in family(postmaster.pid):
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    for process in family(postmaster.pid):  # born while we went through the list
        with suppress(psutil.NoSuchProcess):
            process.suspend()


def thaw(postmaster: Postmaster) -> None:
    """Undo `freeze`."""
    for process in family(postmaster.pid):
        with suppress(psutil.NoSuchProcess):
            process.resume()


def bound_log(log: Path) -> None:
    """Empty the log when it has grown past its limit (the server appends, so it goes on from the start)."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            os.truncate(log, 0)


def _is_postmaster(pid: int, data: Path) -> bool:
    """Whether `pid` is a live server on `data`: ids are used again, after a reboot most of all."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(data) in process.cmdline()
    except psutil.Error:
        return False


def _processes_on(data: Path) -> list[psutil.Process]:
    """Postmasters (or shells about to start one), known by their arguments; orphans, by their folder."""
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
        "could not create shared memory": "Raise the system's limits on shared memory (SHMMAX, SHMALL).",
        "Address already in use": "Another program has the port: end it, or try again.",
    }.items():
        if sign in log:
            return remedy
    return "Run `lab down` and try again, or use another PostgreSQL: LAB_POSTGRES_URL=postgresql://…"
