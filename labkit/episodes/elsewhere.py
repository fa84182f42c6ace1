"""Both services in another place: another host, another environment, other intervals, the log at its
loudest."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from urllib.parse import urlsplit

from labkit import evidence, logs, services
from labkit.deadlines import wait_until
from labkit.evidence import CheckFailed, did
from labkit.http import Client, Response
from labkit.plays import House
from labkit.ports import free_port, most_at_once
from labkit.services import Line, Service
from labkit.stage import Stage

API = {"ENVIRONMENT": "staging-7", "LOG_LEVEL": "debug", "DB_POOL_MAX": "2"}
WORKER = {
    "WORKER_ID": "worker-of-staging",
    "WORKER_POLL_INTERVAL": "50ms",
    "WORKER_CONCURRENCY": "3",
    "LOG_LEVEL": "debug",
}
LATER_TASKS = 3
"""Tasks that come while the worker is idle, and are to run at the same time."""
SOON_S = 3.0
"""How soon after they have come (scaled): sooner than the default interval would allow."""
REQUESTS = 6
"""Requests that need a connection at the same time."""


@dataclass
class Elsewhere:
    """What was seen there."""

    secrets: tuple[str, ...]
    """The passwords of the databases."""
    urls: tuple[str, ...]
    host: str
    """Where the API was told to listen."""
    also_at: str
    """Another address of this machine at which it listened, too; empty if there was none."""
    info: Response
    connections: int
    """The most connections to the database that one process of the API had at a time."""
    first_worker: str | None
    """Who was assigned the first task."""
    at_once: int
    """How many of the later tasks ran at the same time, SOON_S after they came."""
    api: list[Line]
    worker: list[Line]

    @property
    def lines(self) -> list[Line]:
        return [*self.api, *self.worker]


def observe(house: House) -> Elsewhere:
    """Start both there, each on a database of its own; an error if they do not start."""
    with house.stage() as desk, house.stage() as play:
        did("start a worker with " + " ".join(f"{name}={value}" for name, value in WORKER.items()))
        worker = play.worker(**WORKER)
        first = play.add(title="the first task")
        with _api(desk) as api:
            client = Client(api.url, None)
            info = client.get("/info").expect(200)
            client.get("/tasks").expect(200)
            port = int(api.settings["API_PORT"])
            elsewhere = api.settings["API_HOST"] != "127.0.0.1" and _answers("127.0.0.1", port)
            with crowded(desk, api, client, REQUESTS) as connections:
                pass
            play.wait_for_end(first)
            later = [play.add("sleep", {"seconds": 60}) for _ in range(LATER_TASKS)]
            play.until(lambda: _running(play) == len(later), within=SOON_S)
            urls = (desk.database.url, play.database.url)
            return Elsewhere(
                secrets=tuple(urlsplit(url).password or url for url in urls),
                urls=urls,
                host=api.settings["API_HOST"],
                also_at="127.0.0.1" if elsewhere else "",
                info=info,
                connections=connections,
                first_worker=play.row(first)["assigned_worker"],
                at_once=_running(play),
                api=logs.printed(api),
                worker=logs.printed(worker),
            )


@contextmanager
def _api(play: Stage) -> Iterator[Service]:
    """The API at another address than 127.0.0.1, if the machine has one."""
    host, port = _other_host(), free_port()
    settings = {"DATABASE_URL": play.database.url, "API_HOST": host, "API_PORT": str(port), **API}
    did(f"start `api` with API_HOST={host} " + " ".join(f"{name}={value}" for name, value in API.items()))
    with services.running(play.project, "api", settings) as api:
        evidence.journal().logs.append(api.tail())
        wait_until(lambda: _answers(host, port) or api.exit_code is not None, within=services.START_S)
        if (code := api.exit_code) is not None:
            raise CheckFailed(f"`api` to listen on API_HOST={host}", f"it {services.how_it_ended(code)}")
        if not _answers(host, port):
            at = "127.0.0.1 instead" if _answers("127.0.0.1", port) else "another address, or not at all"
            raise CheckFailed(f"`api` to listen on API_HOST={host}", f"it listens on {at}")
        yield api


def _other_host() -> str:
    """An address of this machine's own that is not 127.0.0.1; that one if there is no other."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.2", 0))  # macOS has none
        except OSError:
            return "127.0.0.1"
        return "127.0.0.2"


def _answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


@contextmanager
def crowded(play: Stage, api: Service, client: Client, requests: int) -> Iterator[int]:
    """As many requests that wait for the table, which is locked for the length of the block: the most
    connections to the database that one process of the API has open at a time."""
    most = 0

    def look() -> bool:
        nonlocal most
        most = max(most, most_at_once(api.pid, play.probe.client_ports()))
        return most >= requests

    with ThreadPoolExecutor(requests) as pool, play.probe.locked_table():
        for _ in range(requests):
            pool.submit(copy_context().run, client.get, "/tasks?limit=1")
        play.until(lambda: play.probe.waiting() > 0, within=5)
        play.watch(look, 0.4)
        yield most


def _running(play: Stage) -> int:
    return int(play.probe.value("SELECT count(*) FROM tasks WHERE status::text = 'processing'"))
