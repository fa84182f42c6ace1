"""What a check of the queue plays on: a database of its own, an audit of its tasks, and workers to start."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from labkit import audit, evidence, services, tasks
from labkit.audit import Change
from labkit.deadlines import allowed, fixed, scaled, wait_until, watch
from labkit.evidence import CheckFailed, Journal, expect
from labkit.http import Client
from labkit.postgres import Database, PrivateServer, Server, private_server
from labkit.probe import Probe
from labkit.project import Project
from labkit.services import Service

T = TypeVar("T")

ENDED = ("completed", "failed")
POLL_MS = 100
"""The workers' poll interval, unless a check says otherwise."""
TAKEN_S = 16.0
"""How long a worker may take to start and to have done a first task (scaled to the machine)."""
LEASE_S = 1.5
"""The lease of workers that shall lose it, or live through several (scaled to the machine)."""
BACK_S = fixed(LEASE_S + 2 * POLL_MS / 1000 + 1.0)
"""After such a lease, two polls and the contract's second an idle worker has a lost task (scaled)."""


def lease(seconds: float = LEASE_S) -> str:
    """So many seconds, scaled to this machine, as a value of WORKER_LEASE."""
    return f"{round(scaled(seconds) * 1000)}ms"


def sleeping(seconds: float) -> dict[str, float]:
    """The payload of a `sleep` that takes so many seconds, scaled to this machine."""
    return {"seconds": round(scaled(seconds), 3)}


class Over(Exception):
    """The run has been broken off; whoever still waits for something need not."""


@dataclass
class Stage:
    """A migrated database with an audit, where workers of the project are started. One thread's at a time."""

    project: Project
    server: Server
    database: Database
    probe: Probe
    over: threading.Event
    _stack: ExitStack = field(repr=False)
    _workers: list[Service] = field(default_factory=list)

    # -- what a check does ---------------------------------------------------------------------------------

    def worker(self, **settings: str) -> Service:
        """Start a worker with these settings; it is killed at the end. ProjectError if it cannot be run."""
        given = {"DATABASE_URL": self.database.url, "WORKER_POLL_INTERVAL": f"{POLL_MS}ms", **settings}
        shown = " ".join(f"{name}={value}" for name, value in settings.items())
        evidence.did(f"start a worker {shown}".rstrip(), kind="worker")
        service = services.start(self.project, "worker", given)
        self._workers.append(service)
        self._stack.callback(service.kill)
        evidence.journal().logs.append(service.tail())
        return service

    def keep_worker(self, **settings: str) -> None:
        """Have a worker at work that was started with these settings by an earlier call, or is now."""
        if not self._workers:
            self.worker(**settings)
            return
        evidence.did("with a worker that is at work already", kind="worker")
        evidence.journal().logs.append(self._workers[-1].tail())

    def kill(self, worker: Service) -> None:
        """Kill a worker, as part of what the check does."""
        evidence.did(f"kill {worker.called} (SIGKILL)")
        worker.kill()

    def clear(self) -> None:
        """Kill all workers and delete all tasks; whatever comes next begins anew."""
        for worker in self._workers:
            worker.kill()
        self._workers.clear()
        self.probe.query("DELETE FROM tasks RETURNING id")

    def ready_worker(self, **settings: str) -> Service:
        """Start a worker and wait until it has done a first task, so that it is idle and known to work."""
        service = self.worker(**settings)
        self.wait_for_end(self.add(title="the first task"))
        return service

    def api(self, **settings: str) -> Service:
        """Start the project's API on the same database."""
        service = services.start_api(self.project, {"DATABASE_URL": self.database.url, **settings})
        self._stack.callback(service.kill)
        evidence.journal().logs.append(service.tail())
        return service

    def add(self, type: str = "noop", payload: Mapping[str, Any] | None = None, **columns: object) -> str:
        """INSERT a task, pending, as anybody may; its id."""
        given = json.dumps(payload or {})
        with evidence.aside(Journal()):
            task = self.probe.insert(**{"title": "a task", "type": type, "payload": given, **columns})
        evidence.did(f"psql: INSERT a task: {type} {evidence.shorten(given, 80)}", kind="add")
        return task

    def add_many(self, count: int, type: str = "noop", payload: Mapping[str, Any] | None = None) -> list[str]:
        """INSERT as many tasks with one statement; their ids."""
        given = json.dumps(payload or {})
        evidence.did(f"psql: INSERT {count} tasks: {type} {evidence.shorten(given, 80)}", kind="add")
        rows = self.probe.query(
            "INSERT INTO tasks (title, type, payload)"
            " SELECT 'task ' || n, %s, %s FROM generate_series(1, %s) n RETURNING id::text AS id",
            type,
            given,
            count,
        )
        return [row["id"] for row in rows]

    def reconnect(self) -> None:
        """A new probe, after the server or the check has closed the old one."""
        self.probe.close()
        self.probe = Probe.of(self.database)
        self._stack.callback(self.probe.close)

    # -- what it waits for and sees ------------------------------------------------------------------------

    def until(self, probe: Callable[[], T], within: float, every: float = 0.02) -> T | None:
        """Like `wait_until`; raises Over when the run is broken off."""
        return wait_until(self._unless_over(probe), within, every)

    def watch(self, probe: Callable[[], T], seconds: float, every: float = 0.02) -> T | None:
        """Like deadlines.watch; raises Over when the run is broken off."""
        return watch(self._unless_over(probe), seconds, every)

    def _unless_over(self, probe: Callable[[], T]) -> Callable[[], T]:
        def look() -> T:
            if self.over.is_set():
                raise Over
            return probe()

        return look

    def expect_in_time(
        self, holds: Callable[[], bool], within: float, expected: str, told: Callable[[], str]
    ) -> None:
        """Wait until something holds; fails the check if it does not come, or if a worker ends by itself."""
        self.until(lambda: holds() or self._left() is not None, within)
        if holds():
            return
        if (left := self._left()) is not None:
            raise CheckFailed("the worker to live on", f"it {services.how_it_ended(left.exit_code or 0)}")
        raise CheckFailed(f"{expected} within {allowed(within):.0f} s", told())

    def _left(self) -> Service | None:
        """A worker that has ended without having been told to."""
        return next((worker for worker in self._workers if worker.ended_by_itself), None)

    def row(self, task: str) -> dict[str, Any]:
        """A task's row; fails the check if there is none."""
        row = self.probe.row(task)
        if row is None:
            raise CheckFailed("the task still to be in the table", "no such row")
        return row

    def expect_row(self, task: str, what: str = "the task", **wanted: object) -> None:
        """Fail the check unless the columns of a task's row have these values; `what` names it."""
        row = self.row(task)
        seen = {name: row[name] for name in wanted}
        expect(seen == wanted, f"{what}: {wanted}", f"{seen}\n{self.told(task)}")

    def history(self, task: str | None = None) -> list[Change]:
        """All changes so far, of one task or of all."""
        return audit.changes(self.probe, task)

    def claims(self, task: str | None = None) -> list[Change]:
        """The changes by which workers took tasks."""
        return [change for change in self.history(task) if change.claims]

    def wait_for_claim(
        self, task: str, within: float = TAKEN_S, number: int = 1, expected: str = ""
    ) -> Change:
        """The `number`-th claim of a task; fails the check if it does not come, with what was `expected` if
        that says more."""
        which = "the task to be claimed" if number == 1 else f"the task to be claimed {number} times"
        self.expect_in_time(
            lambda: len(self.claims(task)) >= number, within, expected or which, lambda: self.told(task)
        )
        return self.claims(task)[number - 1]

    def wait_for_end(self, *tasks: str, within: float = TAKEN_S, what: str = "") -> list[dict[str, Any]]:
        """The rows of tasks that are to end; fails the check if one of them does not. `what` names them."""
        named = what or ("the task" if len(tasks) == 1 else f"all {len(tasks)} tasks")

        def told() -> str:
            left = self.unended(tasks)
            count = f"{len(left)} have not ended, such as\n" if len(tasks) > 1 else ""
            return f"{count}{self.told(*left[:1])}"

        self.expect_in_time(lambda: not self.unended(tasks), within, f"{named} to end", told)
        return [self.row(task) for task in tasks]

    def wait_until_all_ended(self, within: float) -> None:
        """Fails the check if after that time a task of the table is pending or processing."""

        def left() -> int:
            query = "SELECT count(*) FROM tasks WHERE status::text NOT IN ('completed', 'failed')"
            return int(self.probe.value(query))

        self.expect_in_time(
            lambda: left() == 0, within, "all tasks to end", lambda: f"{left()} have not ended"
        )

    def unended(self, tasks: Collection[str]) -> list[str]:
        """Those of the tasks that are neither completed nor failed."""
        rows = self.probe.query(
            "SELECT id::text AS id FROM tasks WHERE id::text = ANY(%s) AND status::text = ANY(%s)",
            list(tasks),
            list(ENDED),
        )
        done = {row["id"] for row in rows}
        return [task for task in tasks if task not in done]

    def told(self, *tasks: str, most: int = 6) -> str:
        """What happened to a task, the first of several, for the student: the last changes, a line each."""
        lines = [str(change) for task in tasks[:1] for change in self.history(task)]
        return "\n".join(lines[-most:]) or "no such task"


def completes_a_task(stage: Stage) -> list[Change]:
    """The least that a project of this lab can do: a task's changes from its POST until it is completed;
    fails the check if that does not come about."""
    api = Client(stage.api().url, None)
    created = tasks.create(api, "the first task")
    stage.worker(WORKER_ID="worker-of-the-check")
    stage.wait_for_end(created["id"])
    task = tasks.read(api, created)
    wanted = {
        "status": "completed",
        "attempts": 1,
        "assigned_worker": "worker-of-the-check",
        "result": None,
        "error": None,
    }
    seen = {name: task.get(name) for name in wanted}
    expect(seen == wanted, f"the task, done: {wanted}", seen)
    expect(
        _time(task["updated_at"]) > _time(created["updated_at"]),
        "updated_at to tell when it ended",
        f"{task['updated_at']}, the same as when it was created",
    )
    return stage.history(created["id"])


def _time(text: object) -> datetime:
    """A time as the API gives it; fails the check if it is none."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        raise CheckFailed("updated_at as a time with its zone (RFC 3339)", text) from None


@contextmanager
def opened(
    project: Project, server: Server, over: threading.Event, template: str | None = None
) -> Iterator[Stage]:
    """A stage for the length of a `with` block, on a clone of the database named `template`; without one, on
    an empty database that the project's `migrate` is run on."""
    with ExitStack() as stack:
        database = stack.enter_context(server.database("stage", template=template))
        if template is None:
            services.run(project, "migrate", {"DATABASE_URL": database.url}, within=30)
        probe = Probe.of(database)
        stack.callback(probe.close)
        audit.install(probe)
        yield Stage(project, server, database, probe, over, stack)


@contextmanager
def on_a_server_of_its_own(stage: Stage) -> Iterator[tuple[Stage, PrivateServer]]:
    """A second stage, on a PostgreSQL that may be stopped."""
    with private_server() as private, opened(stage.project, private.server, stage.over) as own:
        yield own, private
