"""A project's processes under control: start, watch, signal, stop, and read what they print."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import psutil

from labkit import evidence, guard
from labkit.deadlines import Patience, allowed, stated, wait_until
from labkit.loglines import readable, telling
from labkit.ports import accepts_connections, family, free_port, listening, listens
from labkit.project import Project, ProjectError, environment

_LINES_KEPT = 20_000
_LINES_READ = 200
_LINE_LENGTH_KEPT = 16_384
_CHARACTERS_KEPT = 16_000_000
START_S = 16.0
"""How long an API may take until it listens (scaled to the machine)."""


class Process(Protocol):
    """What is used of `subprocess.Popen`, all of it with the same meaning."""

    @property
    def pid(self) -> int: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    @property
    def stderr(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int) -> None: ...


def _launch(command: list[str], folder: Path, environment: dict[str, str]) -> Process:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


launch = _launch
"""How a process is started, in a session of its own; OSError or ValueError if its command cannot be run. The
proof has another way for what it starts by the thousand: labkit/proof/warm.py."""


@dataclass(frozen=True)
class Line:
    """A line that a process printed; `stream` is "stdout" or "stderr"."""

    stream: str
    text: str


@dataclass
class Service:
    """A started process of the project. All times in seconds."""

    name: str
    process: Process
    settings: Mapping[str, str]
    mark: str
    """By which it and all that it starts are known."""
    lines: deque[Line] = field(default_factory=deque)
    started: float = field(default_factory=time.monotonic)
    on_line: Callable[[Line], None] | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        """Where the API listens, without a slash at the end."""
        return f"http://{self.settings['API_HOST']}:{self.settings['API_PORT']}"

    @property
    def called(self) -> str:
        """What it is called where there may be several: by its WORKER_ID, if it was given one."""
        return f"{self.name} {self.settings.get('WORKER_ID', '')}".rstrip()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the number of the signal that ended it."""
        return self.process.poll()

    @property
    def ended_by_itself(self) -> bool:
        """Whether it has ended though nobody told it to."""
        return self.exit_code is not None and not self._killed and not self._told_to_end

    def let_end(self) -> None:
        """From now on it may end by itself."""
        self._told_to_end = True

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself (not to its children), as a supervisor does. Who is frozen, or
        woken, is so with its children: any of them may be the one that works."""
        evidence.did(f"send {number.name} to {self.called}")
        freezes = number in (signal.SIGSTOP, signal.SIGCONT)
        self._told_to_end |= not freezes
        if self.exit_code is None and freezes:
            os.killpg(self.pid, number)
        elif self.exit_code is None:
            self.process.send_signal(number)

    def wait(self, within: float) -> int | None:
        """The exit code, or None if it still runs after `within` seconds (scaled)."""
        patience = Patience(within)
        while self.exit_code is None:
            if not (left := patience.left()):
                patience.ended(met=False)
                return None
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(left)
        patience.ended(met=True)
        self._join()
        return self.exit_code

    @property
    def printed(self) -> int:
        """How many lines it has printed so far."""
        return self._count

    def log(self, most: int = 5) -> list[str]:
        """The last lines that it printed, newest last."""
        with self._lock:
            return [line.text for line in list(self.lines)[-most:]]

    def last_words(self, most: int = 5) -> list[str]:
        """Its last lines, the one that names the error among them."""
        return telling(self.log(_LINES_READ), most)

    def tail(self, most: int = 3) -> Callable[[], list[str]]:
        """A function that gives the last lines printed since this call."""
        before = self.printed

        def lines() -> list[str]:
            new = min(self.printed - before, most)
            return self.log(new) if new else []

        return lines

    def kill(self) -> None:
        """End it and everything that it started, at once. Later calls do nothing: its number may be
        another's."""
        if self._killed:
            return
        self._killed = True
        children = family(self.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for member in children:
            with contextlib.suppress(psutil.Error):
                member.kill()
        self.process.wait()
        guard.forget(self.pid)
        if not self._join():  # somebody has left the group, and still holds what it prints into
            guard.kill_marked(self.mark)
            self._join()

    def _join(self) -> bool:
        """Read to the end of what it has printed; whether that came within a second."""
        until = time.monotonic() + 1
        for thread in self._readers:
            thread.join(timeout=max(until - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._readers)

    def _drain(self, pipe: IO[bytes], stream: str) -> None:
        with pipe:
            while chunk := pipe.readline(_LINE_LENGTH_KEPT):
                line = Line(stream, chunk.decode("utf-8", "replace").rstrip("\r\n"))
                self._keep(line)
                if self.on_line:
                    self.on_line(line)

    def _keep(self, line: Line) -> None:
        with self._lock:
            self.lines.append(line)
            self._count += 1
            self._size += len(line.text)
            while len(self.lines) > _LINES_KEPT or self._size > _CHARACTERS_KEPT:
                self._size -= len(self.lines.popleft().text)

    _readers: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _count: int = 0
    _size: int = 0
    _killed: bool = False
    _told_to_end: bool = False


def start(
    project: Project,
    process_type: str,
    settings: Mapping[str, str],
    on_line: Callable[[Line], None] | None = None,
) -> Service:
    """Start a process of the project; ProjectError if its command cannot be run at all.

    `on_line` is called, in a thread of its own for each stream, with every line that it prints.
    """
    command = project.command(process_type)
    marks = guard.mark()
    try:
        process = launch(command, project.folder, {**environment({}), **marks, **settings})
    except (OSError, ValueError) as error:
        raise ProjectError(
            f"a command for `{process_type}` that can be run",
            f"{command[0]!r} {_why_not(error, project, command[0])} (Procfile: {' '.join(command)})",
        ) from None
    guard.watch(process.pid)
    service = Service(process_type, process, dict(settings), marks[guard.MARK], on_line=on_line)
    for stream, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
        assert pipe is not None
        reader = threading.Thread(target=service._drain, args=(pipe, stream), daemon=True)
        reader.start()
        service._readers.append(reader)
    return service


def _why_not(error: Exception, project: Project, program: str) -> str:
    """Why the program of a command cannot be run, to follow its name."""
    there = project.folder / program
    match error:
        case FileNotFoundError() if "/" not in program and there.is_file():
            return f"is not on the PATH; the file beside the Procfile is called ./{program}"
        case FileNotFoundError() if there.is_file():
            return "begins with a line (#!) that names a program which is not there"
        case FileNotFoundError() | NotADirectoryError():
            return "is no program that can be found"
        case PermissionError() if there.is_dir():
            return "is a folder"
        case PermissionError():
            return f"is not executable; chmod +x {program} makes it so"
        case OSError(errno=errno.ENOEXEC):
            return "is neither a program nor a script that begins with #!"
        case OSError(strerror=reason):
            return f"cannot be run: {str(reason).lower()}"
        case _:
            return f"cannot be run: {error}"


@contextmanager
def running(project: Project, process_type: str, settings: Mapping[str, str]) -> Iterator[Service]:
    """A process of the project for the length of the block; killed with all its children after it."""
    service = start(project, process_type, settings)
    try:
        yield service
    finally:
        service.kill()


def run(project: Project, process_type: str, settings: Mapping[str, str], within: float) -> Service:
    """Run a process of the project to its end and return it; ProjectError if that takes too long."""
    with running(project, process_type, settings) as service:
        if service.wait(within) is None:
            raise ProjectError(
                f"`{process_type}` to end {stated(within)}", _with_log("it still runs", service)
            )
        return service


def start_api(project: Project, settings: Mapping[str, str]) -> Service:
    """Start the project's API on a free port and wait until it accepts connections.

    `settings` are the contract's variables without API_HOST and API_PORT, which are chosen here.
    ProjectError, with the last lines of its log, if it exits or does not listen in time.
    """
    for attempt in range(3):
        port = free_port()
        service = start(project, "api", {"API_HOST": "127.0.0.1", "API_PORT": str(port), **settings})
        try:
            _wait_until_itlistens(project, service, port)
        except _PortTaken:
            service.kill()
            if attempt == 2:
                raise
        except BaseException:
            service.kill()
            raise
        else:
            return service
    raise AssertionError("unreachable")


def restart_api(project: Project, dead: Service) -> Service:
    """Start an API that has died once more, in the same place; ProjectError if that fails."""
    dead.kill()
    service = start(project, "api", dead.settings)
    try:
        _wait_until_itlistens(project, service, int(dead.settings["API_PORT"]))
    except BaseException:
        service.kill()
        raise
    return service


class _PortTaken(ProjectError):
    """Somebody else took the port between our choice and the start."""


def wait_until_listening_or_gone(service: Service, port: int) -> None:
    """Returns when the service accepts connections on `port`, has ended, or START_S has passed."""

    def settled() -> bool:
        # That somebody accepts connections there is not enough: they may have been faster than the service.
        return service.exit_code is not None or (accepts_connections(port) and listens(service.pid, port))

    wait_until(settled, within=START_S)


def _wait_until_itlistens(project: Project, service: Service, port: int) -> None:
    wait_until_listening_or_gone(service, port)
    if (code := service.exit_code) is not None:
        service._join()
        taken = _PortTaken if accepts_connections(port) else ProjectError
        raise taken(
            f"`api` to keep running and listen on API_PORT ({port})",
            _with_log(
                f"it {how_it_ended(code)} {time.monotonic() - service.started:.1f} s after the start"
                f"{_shell_hint(project)}",
                service,
            ),
        )
    if accepts_connections(port):
        return
    others = listening(service.pid)
    saw = f"it listens on {', '.join(others)} instead" if others else "it runs, but listens nowhere"
    raise ProjectError(
        f"`api` to listen on API_HOST:API_PORT (127.0.0.1:{port}) within {allowed(START_S):.0f} s",
        _with_log(saw + _shell_hint(project), service),
    )


def _shell_hint(project: Project) -> str:
    sign = project.shell_sign("api")
    return f" (without a shell, the Procfile's {sign} means nothing)" if sign else ""


def how_it_ended(code: int) -> str:
    """What an exit code says, to follow "it"."""
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-code}"


def _with_log(text: str, service: Service, most: int = 6) -> str:
    lines = [evidence.shorten(readable(line), 200) for line in service.last_words(most)]
    if not lines:
        return f"{text}; it printed nothing"
    return "\n".join([f"{text}; its last lines:", *(f"  {line}" for line in lines)])
