"""What an API answers while its database is away, or hangs, and after it has come back.

An outage takes seconds of mere waiting, so it is observed once, beside the other checks, and judged by many.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field

from labkit import evidence, services
from labkit.contract import Contract
from labkit.deadlines import fixed, wait_until
from labkit.evidence import Action, CheckFailed, Journal, did
from labkit.http import Client, Response
from labkit.postgres import Database, PrivateServer, private_server
from labkit.probe import Probe
from labkit.project import Project

Answer = Response | CheckFailed
"""What came back, or why nothing did."""


@dataclass(frozen=True)
class Exchange:
    """A request's answer, what had been done until it came, and the service's last lines at that time."""

    answer: Answer
    story: tuple[Action, ...]
    log: tuple[str, ...]

    def tell(self) -> Answer:
        """The answer; its story and log become those of the running check."""
        journal = evidence.journal()
        journal.actions[:], journal.logs[:] = self.story, [lambda: list(self.log)]
        return self.answer


UNAVAILABLE_S = fixed(5.0)
"""How soon the API must say so while the database is gone."""
HANGS_S = fixed(10.0)
"""How soon /health must say so while the database hangs."""
BACK_S = fixed(5.0)
"""How soon after the database's return the API must serve again (scaled to the machine)."""
AWAY_S = 18.0
"""How long PostgreSQL is away at least. Who pauses between two attempts for 1 s, then for 2, 4, 8 and 16 s,
give or take a tenth, is then in a pause that lasts much longer than BACK_S."""


@dataclass
class Outage:
    """One outage, observed. Ids are those of tasks that were answered with 201."""

    during: dict[str, Exchange] = field(default_factory=dict)
    """"GET /tasks" and so on → the answer while PostgreSQL was stopped."""
    back: Exchange | None = None
    """/health after its return: the first 200, or what it said when the time was up."""
    after: dict[str, Exchange] = field(default_factory=dict)
    promised: list[tuple[str, str]] = field(default_factory=list)
    """Id and title of what was answered with 201."""
    rows: list[tuple[str, str]] = field(default_factory=list)
    """Id and title of what was in the table in the end."""
    ended: int | None = None
    """The exit status of the API, should it have ended."""
    journal: Journal = field(default_factory=Journal)


@dataclass
class Hang:
    """The answer of /health while PostgreSQL took connections, but answered nothing."""

    health: Exchange
    journal: Journal


def observe(project: Project, contract: Contract) -> Outage:
    """Stop PostgreSQL under a serving API and start it again. ProjectError if the API does not start."""
    found = Outage()
    with evidence.aside(found.journal), private_server() as server:
        database = _migrated(project, server)
        service = services.start_api(project, {"DATABASE_URL": database.url})
        found.journal.logs.append(service.tail())
        try:
            _observe(found, server, Client(service.url, contract, patience_s=UNAVAILABLE_S + 5))
            found.ended = service.exit_code
        finally:
            service.kill()
        probe = Probe.of(database)
        rows = probe.query("SELECT id::text AS id, title FROM tasks")
        found.rows = [(row["id"], row["title"]) for row in rows]
        probe.close()
    return found


def _observe(found: Outage, server: PrivateServer, api: Client) -> None:
    before = [api.post("/tasks", json={"title": f"before {n}"}).expect(201).task["id"] for n in range(3)]
    path = f"/tasks/{before[0]}"
    api.get("/health").expect(200)
    did("stop PostgreSQL")
    server.stop()
    stopped = time.monotonic()
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
    time.sleep(max(stopped + AWAY_S - time.monotonic(), 0))
    did("start PostgreSQL again, seconds later")
    server.start()
    wait_until(lambda: _is_up(found, api), within=BACK_S, every=0.1)
    found.after = {
        "GET /tasks/{id}": _exchange(lambda: api.get(path)),
        "POST /tasks": _exchange(lambda: api.post("/tasks", json={"title": "after"})),
    }
    created = {"during": found.during["POST /tasks"].answer, "after": found.after["POST /tasks"].answer}
    found.promised = [
        *((task_id, f"before {number}") for number, task_id in enumerate(before)),
        *((a.task["id"], t) for t, a in created.items() if isinstance(a, Response) and a.status == 201),
    ]


def _is_up(found: Outage, api: Client) -> bool:
    found.back = _exchange(lambda: api.get("/health"))
    return isinstance(found.back.answer, Response) and found.back.answer.status == 200


def hang(project: Project, contract: Contract) -> Hang:
    """Freeze PostgreSQL under a serving API and ask for its health. ProjectError if the API does not
    start."""
    with evidence.aside(Journal()) as journal, private_server() as server:
        database = _migrated(project, server)
        service = services.start_api(project, {"DATABASE_URL": database.url})
        journal.logs.append(service.tail())
        try:
            api = Client(service.url, contract, patience_s=HANGS_S + 3)
            api.get("/tasks").expect(200)
            api.get("/health").expect(200)
            did("freeze PostgreSQL (SIGSTOP)")
            server.freeze()
            time.sleep(0.05)  # let what was under way come to a halt
            return Hang(_exchange(lambda: api.get("/health")), journal)
        finally:
            server.thaw()
            service.kill()


def _migrated(project: Project, server: PrivateServer) -> Database:
    database = server.server.create_database("outage")
    if project.has("migrate"):
        services.run(project, "migrate", {"DATABASE_URL": database.url}, within=30)
    return database


def _at_once(requests: Mapping[str, Callable[[], Response]]) -> dict[str, Exchange]:
    with ThreadPoolExecutor(len(requests)) as pool:
        futures: dict[str, Future[Exchange]] = {
            name: pool.submit(copy_context().run, _exchange, request) for name, request in requests.items()
        }
        return {name: future.result() for name, future in futures.items()}


def _exchange(request: Callable[[], Response]) -> Exchange:
    """Make a request; its story is what the journal holds by now, and the request itself."""
    journal = evidence.journal()
    before = tuple(journal.actions)
    answer: Answer
    with evidence.aside(Journal()) as own:
        try:
            answer = request()
        except CheckFailed as failure:
            answer = failure
    journal.actions.extend(own.actions)
    return Exchange(answer, (*before, *own.actions), tuple(journal.log()))
