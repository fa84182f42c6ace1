"""Both services through good minutes and bad ones, from start to stop, and every line that they wrote.

Seconds go by until a service has started, done something worth a line and stopped, so this is observed once
and judged by many.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from labkit import evidence, logs
from labkit.evidence import Action, CheckFailed, did
from labkit.http import Client, Response
from labkit.logs import Entry
from labkit.plays import House
from labkit.services import Line
from labkit.stage import Stage
from labkit.tasks import nobody

TIME_ZONE = "Asia/Kolkata"
"""Where the services believe to be: five and a half hours from UTC."""
FORGED = "forged-by-a-client"
FORGERY = (
    'a "title" \\ with {braces}\n'
    f'{{"timestamp":"2026-01-01T00:00:00Z","level":"critical","msg":"{FORGED}","service":"api-service"}}\r\n'
    "\x1b[31mred\x1b[0m\t漢字 🙂\u2028%s"
)
"""A text that becomes a log line of its own if it is written as it is."""
BAD_IDS = ("two words", '","level":"critical","x":"', "x" * 129)
"""Values of X-Request-ID that the contract does not take."""
HELD_S = 0.4
"""How long a POST is held back in the database."""
SLEEP_S = 0.4
"""How long the task named "sleep" takes."""

TASKS: Mapping[str, Mapping[str, Any]] = {
    "noop": {"title": "Nothing to do"},
    "sleep": {"title": "Sleep a while", "type": "sleep", "payload": {"seconds": SLEEP_S}},
    "fail": {"title": "Fail aloud", "type": "fail", "payload": {"message": f"it broke\n{FORGERY}"}},
    "unknown": {"title": "Nobody can do this", "type": "make_coffee"},
    "forging": {"title": FORGERY, "type": "echo", "payload": {"text": FORGERY}},
}
"""Key → what is POSTed, with the request id `task-<key>`."""

_NO_HTTP = (
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
    b"GET\r\n\r\n",
    b"POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    b"GET /tasks HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\x01b\r\nConnection: close\r\n\r\n",
)


@dataclass
class Story:
    """What was done, and what the services wrote. Ids are task ids, times are UTC."""

    secret: str
    """The password of the database."""
    url: str
    began: datetime
    ended: datetime
    api: list[Line] = field(default_factory=list)
    worker: list[Line] = field(default_factory=list)
    answers: dict[str, Response] = field(default_factory=dict)
    """What was asked → the answer; its request has the id that was sent."""
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key in TASKS → the task's row when it had ended."""
    held: bool = False
    """Whether the POST named "slow" had to wait for HELD_S seconds."""
    trouble: CheckFailed | None = None
    """What broke the story off, if something did."""
    actions: list[Action] = field(default_factory=list)
    """All that was done."""
    marks: dict[str, int] = field(default_factory=dict)
    """What was asked → how much had been done until its answer came."""

    @property
    def lines(self) -> list[Line]:
        return [*self.api, *self.worker]

    @property
    def api_entries(self) -> list[Entry]:
        return _own(self.api)

    @property
    def worker_entries(self) -> list[Entry]:
        return _own(self.worker)

    def answer(self, key: str) -> Response:
        """The answer to a request, which becomes the last that the check shows of what was done; fails the
        check if the story broke off before."""
        if key not in self.answers:
            self._missing()
        journal = evidence.journal()
        journal.actions[:] = self.actions[: self.marks[key]]
        journal.logs.clear()
        return self.answers[key]

    def tell(self, key: str, answer: Response) -> None:
        """Write down an answer that has just come."""
        self.answers[key] = answer
        self.actions = evidence.journal().actions
        self.marks[key] = len(self.actions)

    def row(self, key: str) -> dict[str, Any]:
        """A task's row; fails the check if the story broke off before."""
        if key not in self.rows:
            self._missing()
        self.answer(f"task-{key}")
        return self.rows[key]

    def whole(self) -> None:
        """The whole story becomes what the check shows of what was done."""
        evidence.only("start both services, send requests and tasks, let things go wrong, stop the services")
        evidence.journal().logs.clear()

    def _missing(self) -> None:
        raise self.trouble or CheckFailed(
            "the services to live through some requests and tasks", "they did not"
        )


def _own(lines: Iterable[Line]) -> list[Entry]:
    """The entries that the service itself has made."""
    return [entry for entry in logs.entries(lines) if entry.get("msg") != FORGED]


def observe(house: House) -> Story:
    """The story; an error if the services do not start, or if not even a first task goes through."""
    with _play(house) as (play, told):
        worker = play.worker(TZ=TIME_ZONE)
        api = play.api(TZ=TIME_ZONE)
        client = Client(api.url, None)
        _first_task(play, client, told)
        try:
            _requests(client, told)
            _slow_request(play, client, told)
            _tasks(play, client, told)
            _no_http(int(api.settings["API_PORT"]))
            _cut(play, client, told)
            worker.send(signal.SIGTERM)
            worker.wait(within=10)
            _broken(play, client, told)
            api.send(signal.SIGTERM)
            api.wait(within=10)
        except CheckFailed as failure:
            told.trouble = failure
        told.ended = datetime.now(UTC)
        told.api, told.worker = logs.printed(api), logs.printed(worker)
    return told


@contextmanager
def _play(house: House) -> Iterator[tuple[Stage, Story]]:
    with house.stage() as play:
        url = play.database.url
        now = datetime.now(UTC)
        yield play, Story(urlsplit(url).password or url, url, now, now)


def _first_task(play: Stage, client: Client, told: Story) -> None:
    told.tell("info", _ask(client, "GET", "/info", "info").expect(200))
    created = client.post("/tasks", json={"title": "the first task"}).expect(201).task
    play.wait_for_end(str(created["id"]))


def _requests(client: Client, told: Story) -> None:
    """Ordinary requests, wrong ones, and such as would like to write into the log themselves."""
    for key, method, path in (
        ("health", "GET", "/health"),
        ("list", "GET", "/tasks?limit=3&status=pending"),
        ("no-such-task", "GET", f"/tasks/{nobody()}"),
        ("nowhere", "GET", "/nowhere?token=hidden"),
        ("method", "DELETE", "/tasks"),
        ("path", "GET", f"/tasks/%0A%7B%22msg%22:%22{FORGED}%22%7D%0D%0A%1b%5B31m"),
    ):
        told.tell(key, _ask(client, method, path, key))
    told.tell("invalid", _ask(client, "POST", "/tasks", "invalid", body=b'{"title": '))
    told.tell("without id", client.get("/tasks?limit=1"))
    for bad in BAD_IDS:
        told.tell(bad, _ask(client, "GET", "/health", bad))


def _slow_request(play: Stage, client: Client, told: Story) -> None:
    with ThreadPoolExecutor(1) as pool:
        with play.probe.commits_held():
            task = {"title": "slow", "type": "noop"}
            coming = pool.submit(copy_context().run, _ask, client, "POST", "/tasks", "slow", json=task)
            told.held = bool(play.until(lambda: coming.done() or play.probe.waiting(), within=5))
            time.sleep(HELD_S)
            told.held = told.held and not coming.done()
        told.tell("slow", coming.result())


def _tasks(play: Stage, client: Client, told: Story) -> None:
    ids = {}
    for key, task in TASKS.items():
        answer = _ask(client, "POST", "/tasks", f"task-{key}", json=dict(task)).expect(201)
        told.tell(f"task-{key}", answer)
        ids[key] = str(answer.task["id"])
    rows = play.wait_for_end(*ids.values(), within=15)
    told.rows = dict(zip(ids, rows, strict=True))


def _no_http(port: int) -> None:
    did("send to the API what is no HTTP")
    for said in _NO_HTTP:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(said)
            connection.recv(1024)
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(b"POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Len")


def _cut(play: Stage, client: Client, told: Story) -> None:
    """All connections to the database end, and for a moment there are no new ones."""
    did("refuse connections to the database for a moment, and end all that there are")
    name = Identifier(play.database.name)
    with psycopg.connect(play.server.admin_url, autocommit=True) as admin:
        admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            play.probe.kill_connections()
            time.sleep(0.4)
        finally:
            admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    told.tell("after the cut", _ask(client, "GET", "/tasks?limit=1", "after-the-cut"))
    play.wait_for_end(play.add(title="after the cut"), within=15)


def _broken(play: Stage, client: Client, told: Story) -> None:
    play.probe.execute("ALTER TABLE tasks RENAME TO tasks_away")
    try:
        told.tell("broken list", _ask(client, "GET", "/tasks?limit=2", "broken-list"))
        told.tell("broken post", _ask(client, "POST", "/tasks", "broken-post", json={"title": "lost"}))
    finally:
        play.probe.execute("ALTER TABLE tasks_away RENAME TO tasks")


def _ask(client: Client, method: str, path: str, request_id: str, **options: Any) -> Response:
    return client.request(method, path, headers={"X-Request-ID": request_id}, **options)
