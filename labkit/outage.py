"""What an API answers while its database is away, or hangs, and after it has come back.

An outage takes seconds of mere waiting, so it is observed once, beside the other checks, and judged by many.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from labkit import evidence, services
from labkit.contract import Contract
from labkit.deadlines import wait_until
from labkit.evidence import CheckFailed, Journal, did
from labkit.http import Client, Response
from labkit.postgres import Database, PrivateServer, private_server
from labkit.probe import Probe
from labkit.project import Project

Answer = Response | CheckFailed
"""What came back, or why nothing did."""

BACK_S = 5.0
"""How soon after the database's return the API must serve again (scaled to the machine)."""


@dataclass
class Outage:
    """One outage, observed. Ids are those of tasks that were answered with 201."""

    during: dict[str, Answer] = field(default_factory=dict)
    """"GET /tasks" and so on → the answer while PostgreSQL was stopped."""
    back: bool = False
    """Whether /health said 200 in time after its return."""
    after: dict[str, Answer] = field(default_factory=dict)
    promised: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    ended: int | None = None
    """The exit status of the API, should it have ended."""
    journal: Journal = field(default_factory=Journal)


@dataclass
class Hang:
    """The answer of /health while PostgreSQL took connections, but answered nothing."""

    health: Answer
    journal: Journal


def observe(project: Project, contract: Contract) -> Outage:
    """Stop PostgreSQL under a serving API and start it again. ProjectError if the API does not start."""
    found = Outage()
    with evidence.aside(found.journal), private_server() as server:
        database = _migrated(project, server)
        service = services.start_api(project, {"DATABASE_URL": database.url})
        try:
            _observe(found, server, Client(service.url, contract))
            found.ended = service.exit_code
        finally:
            service.kill()
        probe = Probe.of(database)
        found.rows = [row["id"] for row in probe.query("SELECT id::text AS id FROM tasks")]
        probe.close()
    return found


def _observe(found: Outage, server: PrivateServer, api: Client) -> None:
    before = [api.post("/tasks", json={"title": f"before {n}"}).expect(201).task["id"] for n in range(3)]
    path = f"/tasks/{before[0]}"
    api.get("/health").expect(200)
    did("stop PostgreSQL")
    server.stop()
    found.during = _at_once(
        {
            "GET /health": lambda: api.get("/health"),
            "GET /tasks": lambda: api.get("/tasks"),
            "GET /tasks/{id}": lambda: api.get(path),
            "POST /tasks": lambda: api.post("/tasks", json={"title": "during"}),
            "PUT /tasks/{id}": lambda: api.put(path, json={"title": "changed"}),
            "DELETE /tasks/{id}": lambda: api.delete(f"/tasks/{before[1]}"),
        }
    )
    did("start PostgreSQL again")
    server.start()
    found.back = bool(wait_until(lambda: _status(api) == 200, within=BACK_S, every=0.1))
    found.after = {
        "GET /tasks/{id}": _answer(lambda: api.get(path)),
        "POST /tasks": _answer(lambda: api.post("/tasks", json={"title": "after"})),
    }
    created = [found.during["POST /tasks"], found.after["POST /tasks"]]
    found.promised = [
        *before,
        *(a.task["id"] for a in created if isinstance(a, Response) and a.status == 201),
    ]


def hang(project: Project, contract: Contract) -> Hang:
    """Freeze PostgreSQL under a serving API and ask for its health. ProjectError if the API does not
    start."""
    with evidence.aside(Journal()) as journal, private_server() as server:
        database = _migrated(project, server)
        service = services.start_api(project, {"DATABASE_URL": database.url})
        try:
            api = Client(service.url, contract, patience_s=13)
            api.get("/tasks").expect(200)
            api.get("/health").expect(200)
            did("freeze PostgreSQL (SIGSTOP)")
            server.freeze()
            time.sleep(0.05)  # let what was under way come to a halt
            return Hang(_answer(lambda: api.get("/health")), journal)
        finally:
            server.thaw()
            service.kill()


def _migrated(project: Project, server: PrivateServer) -> Database:
    database = server.server.create_database("outage")
    if project.has("migrate"):
        services.run(project, "migrate", {"DATABASE_URL": database.url}, within=30)
    return database


def _at_once(requests: Mapping[str, Callable[[], Response]]) -> dict[str, Answer]:
    with ThreadPoolExecutor(len(requests)) as pool:
        futures: dict[str, Future[Answer]] = {
            name: pool.submit(copy_context().run, _answer, request) for name, request in requests.items()
        }
        return {name: future.result() for name, future in futures.items()}


def _answer(request: Callable[[], Response]) -> Answer:
    try:
        return request()
    except CheckFailed as failure:
        return failure


def _status(api: Client) -> int | None:
    answer: Any = _answer(lambda: api.get("/health"))
    return answer.status if isinstance(answer, Response) else None
