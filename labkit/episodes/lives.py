"""Three workers, each alone with its database: what healthcheck.py says while they live, and after one was
killed, one frozen and one told to stop."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from labkit import scripts, standin
from labkit.deadlines import scaled
from labkit.evidence import did
from labkit.plays import House
from labkit.scripts import Ended
from labkit.services import Service
from labkit.stage import POLL_MS, Stage, lease
from labkit.standin import StandIn

LEASE_S = 1.0
WORKERS = {
    "killed": "kill the worker (SIGKILL)",
    "frozen": "freeze the worker (SIGSTOP)",
    "stopped": "tell the worker to stop (SIGTERM)",
}
"""Worker → what became of it."""
SCRIPT = "healthcheck.py"


@dataclass
class Lives:
    """What the script said: of one worker with --json and of another without, while they lived; and of each,
    by name in WORKERS, afterwards."""

    before: Ended
    before_plain: Ended
    waited: str
    """How long it was before they were looked at again, in words."""
    after: dict[str, Ended] = field(default_factory=dict)


def observe(house: House) -> Lives:
    """Live through it; fails the check if a worker does not do a first task, or if there is no script."""
    with ExitStack() as stack:
        api = stack.enter_context(standin.serving(StandIn()))
        plays: dict[str, Stage] = {}
        workers: dict[str, Service] = {}
        firsts: dict[str, str] = {}
        for name in WORKERS:
            play = plays[name] = stack.enter_context(house.stage())
            workers[name] = play.worker(WORKER_LEASE=lease(LEASE_S))
            firsts[name] = play.add(title="the first task")
        for name, play in plays.items():
            play.wait_for_end(firsts[name])

        def says(name: str, *arguments: str) -> Ended:
            settings: Mapping[str, str] = {
                "DATABASE_URL": plays[name].database.url,
                "WORKER_LEASE": lease(LEASE_S),
                "WORKER_POLL_INTERVAL": f"{POLL_MS}ms",
                **api.settings,
            }
            return scripts.run(house.project, SCRIPT, *arguments, settings=settings)

        wait_s = LEASE_S + 2 * POLL_MS / 1000 + 1.0
        waited = f"wait for a lease, two polls and a second: {scaled(wait_s):.1f} s"
        found = Lives(says("killed", "--json"), says("frozen"), waited)
        did("kill one worker (SIGKILL), freeze another (SIGSTOP), tell a third to stop (SIGTERM)")
        workers["killed"].kill()
        workers["frozen"].send(signal.SIGSTOP)
        workers["stopped"].send(signal.SIGTERM)
        workers["stopped"].wait(within=5)
        plays["killed"].watch(lambda: False, wait_s)
        did(waited)
        found.after = {name: says(name, "--json") for name in WORKERS}
    return found
