"""What a service says of a configuration that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field

from labkit import evidence, logs, services
from labkit.deadlines import fixed, stated
from labkit.evidence import CheckFailed, shorten
from labkit.plays import House
from labkit.ports import free_port
from labkit.project import Project

REFUSES_S = fixed(5.0)
"""How long a service may take to refuse its configuration (scaled to the machine)."""
_GRACE_S = 10.0
"""How much longer we wait: other checks are at work on the same machine."""

Values = Mapping[str, str | None]
"""Variable → a value that is wrong; None leaves the variable out."""


@dataclass(frozen=True)
class Refusal:
    """One start with wrong values. `code` is None if the service still ran when the time was up."""

    wrong: Values
    code: int | None
    said: str

    @property
    def named(self) -> set[str]:
        """The wrong variables that it named."""
        return {name for name in self.wrong if re.search(rf"\b{name}\b", self.said)}


@dataclass
class Sifting:
    """Starts of one service, each without the mistakes that the ones before had named."""

    service: str
    starts: list[Refusal] = field(default_factory=list)

    def expect_refused(self) -> None:
        """Fail the check unless each wrong value was refused by name, politely, in time."""
        for start in self.starts:
            given = f"`{self.service}` with {shown(start.wrong)}"
            if start.code is None or start.code == 0:
                ends = f"to end {stated(REFUSES_S)}, with a status other than 0"
                raise CheckFailed(f"{ends}: {given}", "it still runs" if start.code is None else "status 0")
            if "Traceback (most recent call last)" in start.said:
                ends = logs.end_of_traceback(start.said)
                raise CheckFailed(f"a clear line and no traceback of {given}", f"Traceback … {shorten(ends)}")
            if not start.named:
                wanted = f"the variable that is wrong by its name, such as {next(iter(start.wrong))}: {given}"
                raise CheckFailed(wanted, start.said.strip() or "nothing")


MALFORMED: Mapping[str, Values] = {
    "api": {
        "DATABASE_URL": None,
        "API_PORT": "http",
        "DB_POOL_MAX": "ten",
        "SHUTDOWN_TIMEOUT": "soon",
        "LOG_LEVEL": "chatty",
        "LOG_FORMAT": "xml",
    },
    "worker": {
        "DATABASE_URL": "mysql://flowforge@127.0.0.1/flowforge",
        "SHUTDOWN_TIMEOUT": "10 s",
        "WORKER_POLL_INTERVAL": "often",
        "WORKER_LEASE": "1.5s",
        "WORKER_MAX_ATTEMPTS": "three",
        "WORKER_CONCURRENCY": "1.5",
        "LOG_LEVEL": "loud",
        "LOG_FORMAT": "yaml",
    },
}
"""Service → what is wrong, all at once. DB_POOL_MAX is not the worker's: one that always has a single
connection does not use it, and need not name it."""


def observe_malformed(house: House) -> list[Sifting]:
    """What both services say of MALFORMED."""
    with house.stage() as play:
        good = {"DATABASE_URL": play.database.url}
        with ThreadPoolExecutor(len(MALFORMED)) as pool:  # one that takes nonsense runs until the time is up
            sifting = [
                pool.submit(copy_context().run, sift, house.project, service, good, wrong)
                for service, wrong in MALFORMED.items()
            ]
            return [service.result() for service in sifting]


def sift(project: Project, service: str, good: Mapping[str, str], wrong: Values) -> Sifting:
    """Start a service with all these wrong values, then without those that it named, and so on, until it has
    named them all, or does not name one."""
    sifting = Sifting(service)
    left = dict(wrong)
    while left:
        start = refuse(project, service, good, left, within=REFUSES_S + _GRACE_S)
        sifting.starts.append(start)
        if start.code in (None, 0) or not start.named:
            break
        left = {name: value for name, value in left.items() if name not in start.named}
    return sifting


def refuse(project: Project, service: str, good: Mapping[str, str], wrong: Values, within: float) -> Refusal:
    """Start a service with some values that are wrong, and wait for its end, `within` seconds (scaled)."""
    given = {"API_HOST": "127.0.0.1", "API_PORT": str(free_port()), **good, **wrong}
    evidence.did(f"start `{service}` with {shown(wrong)}", kind=f"start {service}")
    settings = {name: value for name, value in given.items() if value is not None}
    with services.running(project, service, settings) as process:
        evidence.journal().logs.append(process.tail())
        code = process.wait(within)
        said = "\n".join(line.text for line in logs.printed(process))
    return Refusal(wrong, code, said)


def shown(values: Values) -> str:
    """Wrong values for the student, without what stands for a password."""
    return ", ".join(
        f"{name} missing" if value is None else f"{name}={_without_password(value)!r}"
        for name, value in values.items()
    )


def _without_password(value: str) -> str:
    return re.sub(r":(%zz)?[^:@/]+@", r":\1…@", value)
