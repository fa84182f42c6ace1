"""load-test.py against an API that is not there, and against one that takes connections and says nothing."""

from __future__ import annotations

from dataclasses import dataclass

from labkit import scripts, standin
from labkit.deadlines import fixed
from labkit.evidence import did
from labkit.plays import House
from labkit.ports import free_port
from labkit.scripts import Ended

REQUESTS = 10
SILENCE_S = fixed(50.0)
"""How long they may wait for an answer that does not come. The contract wants a bound and names none: this is
longer than people would choose (scaled)."""


@dataclass(frozen=True)
class Unheard:
    """How the script ended, each time after REQUESTS requests."""

    absent: Ended
    silent: Ended


def observe(house: House) -> Unheard:
    """Run it twice; fails the check if it does not end, or if there is no script."""
    with house.stage() as play, standin.silent_listener() as port:

        def load(port: int, within: float = scripts.SCRIPT_S) -> Ended:
            settings = {"DATABASE_URL": play.database.url, "API_HOST": "127.0.0.1", "API_PORT": str(port)}
            arguments = ("--requests", str(REQUESTS), "--concurrency", str(REQUESTS), "--json")
            return scripts.run(house.project, "load-test.py", *arguments, settings=settings, within=within)

        did("load an API that is not there")
        absent = load(free_port())
        did("load an API that takes connections and says nothing")
        return Unheard(absent, load(port, within=SILENCE_S))
