"""Python programs that start warm: forked where the libraries they import have been imported already.

Starting Python and importing a framework is most of what a run of the checks costs. Wrong specimens and small
mistakes are the reference with a few lines changed, and there are hundreds of them; they start in here. So
that nothing else is different, a program gets a process, a session, an environment and pipes of its own, as
`subprocess.Popen` would give it. Whatever must not fail, and whatever means harm, starts as everybody does.

This file runs as a process of its own (standard library only): it imports what the reference uses, listens on
a unix socket, and forks for each message that comes in. It ends with its standard input.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import pytest

SOCKET = "LAB_WARM"
"""The environment variable that says where such a process listens."""

_IMPORTED = (
    *("alembic.autogenerate", "alembic.command", "alembic.config", "sqlalchemy.dialects.postgresql.psycopg"),
    *("fastapi", "fastapi.exceptions", "pydantic_settings", "structlog"),
    *("uvicorn.main", "uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.auto"),
    *("psycopg", "psycopg_pool", "psycopg.types.json", "aiohttp", "http.client", "rich.progress"),
)
"""Without faker: its generator is seeded when it is imported, and would be the same in all."""
_MOST_BYTES = 100_000
_START_S = 60.0


@contextlib.contextmanager
def warmed() -> Iterator[dict[str, str]]:
    """Variables for runs of the checks inside the block; with them, and with OPTIONS, they start programs
    warm. None where the system cannot do that (it takes Linux)."""
    if not hasattr(os, "pidfd_open"):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="lab-warm-") as folder:
        place = str(Path(folder, "socket"))
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, place],
            env=_settled(os.environ),
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + _START_S
            while not os.path.exists(place) and process.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
            yield {SOCKET: place} if process.poll() is None else {}
        finally:
            process.communicate()  # closes its standard input


OPTIONS = ("-p", "labkit.proof.warm")
"""What pytest has to be told besides."""


def pytest_configure(config: pytest.Config) -> None:
    from labkit import services

    if place := os.environ.get(SOCKET):
        cold = services.launch

        def launch(command: list[str], folder: Path, environment: dict[str, str]) -> services.Process:
            program = _program(command, folder, environment)
            return cold(command, folder, environment) if program is None else Warm(place, program)

        services.launch = launch


# -- on the side of who starts them ------------------------------------------------------------------------


def _settled(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which Python settles on the same as in that of a project (project.environment)."""
    kept = {name: value for name, value in environment.items() if not _settles(name)}
    return {**kept, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def _settles(name: str) -> bool:
    """Whether Python reads that variable when it starts."""
    return name.startswith(("PYTHON", "LC_")) or name in ("LANG", "LANGUAGE", "TZ")


def _program(command: list[str], folder: Path, environment: Mapping[str, str]) -> dict[str, object] | None:
    """What is to be run, if it is Python of this environment and its command one that can be started warm."""
    if {n: v for n, v in environment.items() if _settles(n)} != {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}:
        return None
    found = shutil.which(command[0], path=environment.get("PATH"))
    if not found or Path(found).parent != Path(sys.executable).parent:
        return None
    match command:
        case ["python", "-m", module, *arguments] if not module.startswith("-"):
            run = {"module": module, "argv": [module, *arguments], "path": str(folder)}
        case ["python", script, *arguments] if script.endswith(".py") and (folder / script).is_file():
            run = {"script": script, "argv": [script, *arguments], "path": str((folder / script).parent)}
        case ["alembic", *arguments]:
            run = {"script": found, "argv": [found, *arguments], "path": str(Path(found).parent)}
        case _:
            return None
    return {**run, "folder": str(folder), "environment": dict(environment)}


class Warm:
    """A program that has been started warm; in what is asked of it, like a `subprocess.Popen`."""

    def __init__(self, place: str, program: Mapping[str, object]) -> None:
        self.returncode: int | None = None
        self._lock = threading.Lock()
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(place)
        out, err = os.pipe(), os.pipe()
        try:
            message = json.dumps(program).encode()
            socket.send_fds(self._connection, [message], [out[1], err[1]])
        finally:
            os.close(out[1])
            os.close(err[1])
        self.stdout: IO[bytes] = open(out[0], "rb")  # noqa: SIM115 - whoever reads it closes it
        self.stderr: IO[bytes] = open(err[0], "rb")  # noqa: SIM115
        self.pid = int(self._connection.recv(64) or 0)
        if not self.pid:
            raise ChildProcessError("the process that forks has ended")

    def poll(self) -> int | None:
        """Its exit status, negative if a signal ended it; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended; subprocess.TimeoutExpired if it has not after so many seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            with self._lock:
                self._look()
            if self.returncode is None:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
                time.sleep(min(0.005, left or 0.005))
        return self.returncode

    def _look(self) -> None:
        if self.returncode is None and _readable(self._connection):
            told = self._connection.recv(64)
            self._connection.close()  # now its number may be another's
            self.returncode = int(told or -signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _readable(connection: socket.socket) -> bool:
    """Whether there is something to read."""
    with selectors.PollSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))


# -- the process that forks --------------------------------------------------------------------------------


def _main(place: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for name in _IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(place)
    listener.listen(64)
    program = _serve(listener)  # comes back in the forked processes only
    _run(**program)


def _serve(listener: socket.socket) -> dict[str, Any]:
    """Fork for everybody who asks, and tell them how it ended."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    running: dict[Any, tuple[int, int]] = {}
    while True:
        for key, _ in selector.select():
            place: Any = key.fileobj
            if place is sys.stdin:
                _end(pid for pid, _ in running.values())
            elif place is listener:
                connection, _ = listener.accept()
                selector.register(connection, selectors.EVENT_READ)
            elif key.data is not None:  # a process has ended; it stays there until who asked knows
                if key.data in running:
                    selector.unregister(place)
                    with contextlib.suppress(OSError):
                        key.data.send(str(_status(running[key.data][0])).encode())
            elif place in running:  # who asked has gone
                _forget(selector, place, *running.pop(place))
            else:
                program = _fork(place)
                if isinstance(program, dict):
                    selector.close()
                    for other in {*running, place, listener}:
                        other.close()
                    for _, handle in running.values():
                        os.close(handle)
                    return program
                if program is None:
                    selector.unregister(place)
                    place.close()
                else:
                    handle = os.pidfd_open(program)
                    running[place] = (program, handle)
                    selector.register(handle, selectors.EVENT_READ, place)


def _fork(connection: socket.socket) -> dict[str, Any] | int | None:
    """The number of the process that was forked, or in that process what it is to run; None if nobody is
    there any more."""
    message, files, _, _ = socket.recv_fds(connection, _MOST_BYTES, 2)
    if not message:
        return None
    pid = os.fork()
    if pid:
        for file in files:
            os.close(file)
        return pid
    # Before anybody knows its number: who ends it ends its group, and no signal is lost.
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    with contextlib.suppress(OSError):
        connection.send(str(os.getpid()).encode())
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, file in enumerate([nothing, *files]):
        os.dup2(file, stream)
        os.close(file)
    program: dict[str, Any] = json.loads(message)
    return program


def _forget(selector: selectors.BaseSelector, connection: socket.socket, pid: int, handle: int) -> None:
    """They know how it ended, or do not care."""
    with contextlib.suppress(KeyError):
        selector.unregister(handle)
    selector.unregister(connection)
    os.close(handle)
    connection.close()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _status(pid: int) -> int:
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended
    return int(ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status)


def _end(pids: Iterator[int]) -> NoReturn:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    os._exit(0)


def _run(
    argv: list[str],
    path: str,
    folder: str,
    environment: dict[str, str],
    module: str | None = None,
    script: str = "",
) -> None:
    """Become the program."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = argv
    sys.path.insert(0, path)
    if module:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    _main(sys.argv[1])
