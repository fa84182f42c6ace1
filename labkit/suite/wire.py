"""How the checks and the process of a student's tests talk: JSON objects, a line each, over a unix socket.

The tests' process collects once, says what it has found (`Collected`), and is then sent jobs. It does each in
a fork of its own, which reports every test (`Ran`); at the end of a job it says how that went (`JobEnded`).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

SOCKET = "LABKIT_SUITE"
"""The variable that holds the socket's path."""
SABOTEUR = "LABKIT_SABOTEUR"
"""The variable by which a saboteur comes to the processes that tests start."""
COVERAGE = "LABKIT_COVERAGE"
"""The variable that says of what the coverage is measured, and where the figures go."""

Exchange = tuple[str, str, int]
"""Method, resource, and the status that the client got."""


@dataclass(frozen=True)
class Collected:
    """The tests that there are, and a line for each file that cannot be loaded. `threads`: whether some were
    started on the way, which a fork would lack; then there is one job, and no more."""

    tests: list[str]
    errors: list[str]
    threads: bool


@dataclass(frozen=True)
class Job:
    """Run these tests (all, if None), in an order drawn from `seed` (theirs, if None).

    `within` is the longest that may take, in seconds. `stop` ends it after the first test that fails."""

    number: int
    tests: list[str] | None
    seed: int | None
    saboteur: str | None
    within: float
    stop: bool
    measure: bool


@dataclass(frozen=True)
class Ran:
    """A test that was run. `outcome`: passed, failed (in the test itself), error (around it), skipped, or
    expected (a failure that was announced). `fixtures` are those that it uses, `exchanges` what passed
    between it and the application."""

    job: int
    test: str
    outcome: str
    duration_s: float
    message: str
    fixtures: list[str]
    exchanges: list[Exchange]


@dataclass(frozen=True)
class Fixture:
    """A fixture that several tests share was made, with these exchanges."""

    job: int
    name: str
    exchanges: list[Exchange]


@dataclass(frozen=True)
class Elsewhere:
    """An exchange with an application in a process that tests have started."""

    exchange: Exchange


@dataclass(frozen=True)
class JobEnded:
    """How a job ended: done, late, or died, with the exit status."""

    job: int
    how: str
    status: int


Message = Collected | Job | Ran | Fixture | Elsewhere | JobEnded
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Collected, Job, Ran, Fixture, Elsewhere, JobEnded)
}


def send(connection: socket.socket, message: Message) -> None:
    """Send one message."""
    text = json.dumps({"kind": type(message).__name__, **asdict(message)})
    connection.sendall(text.encode("utf-8", "replace") + b"\n")


def received(connection: socket.socket) -> Iterator[Message]:
    """The messages that arrive, until the other side has hung up; what is no message is passed over."""
    with connection.makefile("rb") as lines:
        for line in lines:
            try:
                fields = json.loads(line)
                yield _KINDS[fields.pop("kind")](**fields)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue


def connect(path: str) -> socket.socket:
    """A connection to the checks."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    return connection
