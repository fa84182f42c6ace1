"""The whole stack of a project for the one who builds it: database, migrations, API, worker, one log."""

from __future__ import annotations

import os
import queue
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from rich.console import Console
from rich.text import Text

from labkit import postgres, project, services
from labkit.deadlines import scaled, wait_until
from labkit.errors import UsageError
from labkit.ports import accepts_connections
from labkit.project import Project, ProjectError
from labkit.services import Line, Service

_COLOURS = {"api": "cyan", "worker": "magenta", "migrate": "blue", "lab": "green"}
_GRACE_S = 12.0
"""How long a process has to end after SIGTERM; a little more than the default SHUTDOWN_TIMEOUT."""
_MIGRATE_S = 60.0
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


def up(folder: Path, choice: str) -> int:
    """Run the stack until Ctrl-C (status 0) or until one of its processes ends by itself (status 1)."""
    out = _Log()
    try:
        with _interrupts() as interrupted, ExitStack() as stack:
            the_project = project.load(folder)
            the_project.command("api")
            settings = {name: value for name, value in os.environ.items() if name != "PATH"}
            settings["API_HOST"] = settings.get("API_HOST") or "127.0.0.1"  # an empty one counts as unset
            settings["API_PORT"] = port = settings.get("API_PORT") or "8080"
            _require_free(port)
            settings["DATABASE_URL"] = settings.get("DATABASE_URL") or _database(stack, choice)
            if the_project.has("migrate") and not _migrate(the_project, settings, interrupted, out):
                return 0 if interrupted() else 1
            running = [
                _start(stack, the_project, name, settings, out)
                for name in ("api", "worker")
                if name == "api" or the_project.has(name)
            ]
            out.say(f"API     http://{settings['API_HOST']}:{port}")
            out.say(f"psql    {settings['DATABASE_URL']}")
            out.say("Ctrl-C stops it all.")
            return _watch(running, interrupted, out)
    except ProjectError as error:
        out.say("The project cannot be started.")
        out.say(f"expected  {error.expected}")
        out.say(f"saw       {error.saw}")
        return 1
    finally:
        out.flush()


def database(name: str, choice: str) -> str:
    """The URL of a database of that name on a server that goes on when we end; made if there is none.

    UsageError for a name that is none, and for a server that ends with us."""
    if not _NAME.fullmatch(name) or name.startswith("lab_"):
        raise UsageError(
            f"{name!r} is no name for a database.",
            "Take small letters, digits and underscores, as in: lab database tests",
        )
    server = postgres.open_server(choice)
    try:
        if server.kind == "docker":
            raise UsageError(
                "A container ends with this command, and its databases with it.",
                "Start one yourself and use its URL, or take the embedded server: --postgres embedded",
            )
        return server.keep_database(name).url
    finally:
        server.close()


def _database(stack: ExitStack, choice: str) -> str:
    server = postgres.open_server(choice)
    stack.callback(server.close)
    return server.keep_database("flowforge").url


def _require_free(port: str) -> None:
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return  # to tell its user about that is the API's own affair
    if not accepts_connections(int(port)):
        return
    raise UsageError(
        f"Port {port} is in use{_by(int(port))}.", "Stop that, or choose another port: API_PORT=8081 lab up"
    )


def _by(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and tuple(connection.laddr)[1:] == (port,)
                and connection.pid
            ):
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return ""


def _migrate(
    the_project: Project, settings: Mapping[str, str], interrupted: Callable[[], bool], out: _Log
) -> bool:
    """Whether the migrations ran; if not, the log says why."""
    service = services.start(the_project, "migrate", settings, out.of("migrate"))
    try:
        wait_until(lambda: interrupted() or service.exit_code is not None, within=_MIGRATE_S)
        code = service.exit_code
        if code is not None:
            service.wait(1)
    finally:
        service.kill()
    if code is None and not interrupted():
        out.say(f"`migrate` did not end within {scaled(_MIGRATE_S):.0f} s.")
    elif code:
        out.say(f"`migrate` ended with status {code}; what it said stands above.")
    return code == 0


def _start(
    stack: ExitStack, the_project: Project, name: str, settings: Mapping[str, str], out: _Log
) -> Service:
    service = services.start(the_project, name, settings, out.of(name))
    stack.callback(_stop, service)
    return service


def _stop(service: Service) -> None:
    if service.exit_code is None:
        service.process.send_signal(signal.SIGTERM)
        service.wait(_GRACE_S)
    service.kill()


def _watch(running: list[Service], interrupted: Callable[[], bool], out: _Log) -> int:
    while not interrupted():
        out.flush()
        for service in running:
            if service.exit_code is not None:
                out.flush()
                out.say(f"{service.name} ended with status {service.exit_code}; stopping the rest.")
                return 1
        time.sleep(0.05)
    out.say("stopping …")
    return 0


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Turns SIGINT and SIGTERM into a flag, so that everything is stopped in order."""
    seen: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda n, _: seen.append(n)) for number in numbers}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Log:
    """One log of many processes: a line each, with the process' name in front."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._out = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)

    def of(self, name: str) -> Callable[[Line], None]:
        return lambda line: self._lines.put((name, line.text))

    def say(self, text: str) -> None:
        self._lines.put(("lab", text))
        self.flush()

    def flush(self) -> None:
        while not self._lines.empty():
            name, text = self._lines.get()
            self._out.print(Text.assemble((f"{name:<8}| ", _COLOURS.get(name, "")), text))
