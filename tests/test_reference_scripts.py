"""The reference's scripts, run as an operator runs them."""

from __future__ import annotations

import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from labkit import postgres, services
from labkit.deadlines import wait_until
from labkit.postgres import Database
from labkit.project import load

PROJECT = Path(__file__).parent.parent / "project"
SCRIPTS = PROJECT / "scripts"
NAMES = ("seed-database", "healthcheck", "cleanup", "load-test")
NOBODY = "postgresql://flowforge:s3cret-word@127.0.0.1:1/flowforge"


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Ended]:
    """Runs a script from a folder where nothing is; what it prints never holds a traceback."""

    def run(name: str, *arguments: str, stdout: int = subprocess.PIPE, **settings: str) -> Ended:
        with start(tmp_path, name, *arguments, stdout=stdout, **settings) as process:
            out, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        return Ended(process.returncode, out or "", err)

    return run


def start(
    folder: Path, name: str, *arguments: str, stdout: int = subprocess.PIPE, **settings: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **settings},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def template() -> Iterator[Database]:
    """A migrated database."""
    with postgres.open_server().database("scripts") as database:
        subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=PROJECT,
            env={**os.environ, "DATABASE_URL": database.url},
            check=True,
            capture_output=True,
            timeout=120,
        )
        yield database


@pytest.fixture
def database(template: Database) -> Iterator[Database]:
    with postgres.open_server().database("scripts", template=template.name) as database:
        yield database


def rows(database: Database) -> list[dict[str, Any]]:
    """All tasks, in the API's order."""
    with psycopg.connect(database.url, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM tasks ORDER BY created_at, id").fetchall()


@pytest.fixture
def silence() -> Iterator[str]:
    """The port of somebody who takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield str(listener.getsockname()[1])


# -- what all of them do -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_help(script: Callable[..., Ended], name: str) -> None:
    ended = script(name, "--help")
    assert ended.status == 0
    assert "usage:" in ended.out
    assert ended.err == ""


@pytest.mark.parametrize(
    "command",
    [
        ("seed-database", "--count", "0"),
        ("seed-database", "--count", "-1"),
        ("seed-database", "--count", "many"),
        ("seed-database", "--cle"),
        ("cleanup", "--conf"),
        ("healthcheck", "now"),
        ("load-test", "--requests", "0"),
        ("load-test", "--concurrency", "1.5"),
    ],
    ids=" ".join,
)
def test_wrong_usage(script: Callable[..., Ended], command: tuple[str, ...]) -> None:
    ended = script(*command, DATABASE_URL=NOBODY)
    assert ended.status == 2
    assert ended.out == ""


@pytest.mark.parametrize("name", NAMES)
def test_configuration_that_is_wrong(script: Callable[..., Ended], name: str) -> None:
    ended = script(name, DATABASE_URL="mysql://u:s3cret-word@h/d", API_PORT="0")
    assert ended.status == 1
    assert ended.out == ""
    assert "s3cret-word" not in ended.err
    assert ("DATABASE_URL" in ended.err) == (name != "load-test")
    assert ("API_PORT" in ended.err) == (name in ("healthcheck", "load-test"))


@pytest.mark.parametrize("command", [("seed-database",), ("cleanup", "--confirm")], ids=" ".join)
def test_a_database_that_is_not_there_or_not_ready(
    script: Callable[..., Ended], silence: str, command: tuple[str, ...]
) -> None:
    hanging = f"postgresql://flowforge:s3cret-word@127.0.0.1:{silence}/flowforge"
    with postgres.open_server().database("empty") as empty:
        for url, says in (
            (NOBODY, "refused"),
            (hanging, "timeout"),
            (empty.url, "migrations"),
            (re.sub(":[^:@]*@", ":s3cret-word@", empty.url), "password"),
        ):
            ended = script(*command, DATABASE_URL=url)
            assert (ended.status, ended.out) == (1, ""), ended
            assert says in ended.err
            assert "s3cret-word" not in ended.err
            assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("command", [("healthcheck", "--help"), ("healthcheck",)], ids=" ".join)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nobody_reads_the_output(
    script: Callable[..., Ended], command: tuple[str, ...], unbuffered: str
) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    ended = script(*command, stdout=writes, DATABASE_URL=NOBODY, API_PORT="1", PYTHONUNBUFFERED=unbuffered)
    os.close(writes)
    assert ended.status == (0 if "--help" in command else 1)
    assert ended.err == ""


# -- seeding -----------------------------------------------------------------------------------------------


def test_seeding_makes_tasks_that_the_api_could_have(
    script: Callable[..., Ended], database: Database, believable_tasks: ModuleType
) -> None:
    from api_service.schemas import Task, TaskInput

    ended = script("seed-database", "--count", "60", DATABASE_URL=database.url)
    assert ended.status == 0
    assert ended.err == ""
    made = rows(database)
    assert len(made) == 60
    assert len({row["title"] for row in made}) > 55
    for row in made:
        row.pop("leased_until")
        task = Task(**row)
        TaskInput(**{name: row[name] for name in TaskInput.model_fields})
        assert_consistent(task)
    for status, count in Counter(row["status"] for row in made).items():
        assert f"{count} {status}" in ended.out


def assert_consistent(task: Any) -> None:
    started = task.status != "pending"
    assert (task.attempts > 0) == (task.assigned_worker is not None) == started
    assert (task.error is not None) == (task.status == "failed")
    assert task.result == (task.payload if (task.status, task.type) == ("completed", "echo") else None)
    assert task.created_at <= task.updated_at <= datetime.now(UTC)


def test_the_same_seed_makes_the_same_tasks(script: Callable[..., Ended], database: Database) -> None:
    def made(*options: str) -> list[tuple[Any, ...]]:
        ended = script("seed-database", "--count", "30", *options, DATABASE_URL=database.url)
        assert ended.status == 0
        names = ("title", "description", "priority", "type", "payload", "status")
        return [tuple(row[name] for name in names) for row in rows(database)]

    first = made("--seed", "7")
    assert made("--clear", "--seed", "7") == first
    assert made("--clear") != first
    assert len(made("--seed", "7")) == 60, "the same again, beside what is there"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 19, 1000])
def test_every_status_occurs_if_it_can(believable_tasks: ModuleType, count: int) -> None:
    made = list(believable_tasks.tasks(count, seed=1, now=datetime.now(UTC)))
    assert len(made) == count
    assert len({task.status for task in made}) == min(count, 4)


def test_tasks_are_in_the_order_in_which_they_are_listed(believable_tasks: ModuleType) -> None:
    made = list(believable_tasks.tasks(500, seed=1, now=datetime.now(UTC)))
    assert made == sorted(made, key=lambda task: (task.created_at, task.id))
    assert made == sorted(made, key=lambda task: task.id)


@pytest.fixture
def believable_tasks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(PROJECT))
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import believable_tasks

    return believable_tasks


def test_seeding_that_is_interrupted_leaves_everything_as_it_was(
    script: Callable[..., Ended], database: Database, tmp_path: Path
) -> None:
    script("seed-database", "--count", "3", DATABASE_URL=database.url)
    before = rows(database)
    process = start(tmp_path, "seed-database", "--count", "9000000", "--clear", DATABASE_URL=database.url)
    with psycopg.connect(database.admin_url, autocommit=True) as admin:
        copied = "SELECT sum(tuples_processed) > 1000 FROM pg_stat_progress_copy"
        under_way = wait_until(lambda: admin.execute(copied).fetchall() == [(True,)], within=30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert under_way
    assert (process.returncode, out, err) == (130, "", "Interrupted.\n")
    assert rows(database) == before


def test_a_worker_finishes_what_was_seeded(script: Callable[..., Ended], database: Database) -> None:
    assert script("seed-database", "--count", "8", "--seed", "5", DATABASE_URL=database.url).status == 0
    assert Counter(row["status"] for row in rows(database))["processing"] == 1
    worker = services.start(load(PROJECT), "worker", {"DATABASE_URL": database.url})
    try:
        assert wait_until(lambda: {row["status"] for row in rows(database)} == {"completed", "failed"}, 20)
    finally:
        worker.kill()


# -- cleaning up -------------------------------------------------------------------------------------------


def test_cleanup_wants_to_be_told_twice(script: Callable[..., Ended], database: Database) -> None:
    script("seed-database", "--count", "7", DATABASE_URL=database.url)
    ended = script("cleanup", DATABASE_URL=database.url)
    assert (ended.status, ended.out) == (1, "")
    assert "--confirm" in ended.err
    assert len(rows(database)) == 7
    ended = script("cleanup", "--confirm", DATABASE_URL=database.url)
    assert (ended.status, ended.out, ended.err) == (0, "7 tasks deleted\n", "")
    assert rows(database) == []


def test_waiting_for_a_database_that_hangs_ends(
    believable_tasks: ModuleType, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_ctrl_c = signal.getsignal(signal.SIGINT)
    import transaction

    signal.signal(signal.SIGINT, with_ctrl_c)
    started = time.monotonic()
    with pytest.raises(transaction.Failure, match=r"not answered for 0\.3 s"):  # noqa: PT012
        with psycopg.connect(database.url) as connection, transaction.patience(0.3) as renew:
            renew()
            connection.execute("SELECT pg_sleep(60)")
    assert time.monotonic() - started < 20
    with transaction.patience(60):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


# -- health ------------------------------------------------------------------------------------------------


def test_all_is_well_and_then_it_is_not(script: Callable[..., Ended], database: Database) -> None:
    settings = {"DATABASE_URL": database.url, "WORKER_LEASE": "1s", "WORKER_POLL_INTERVAL": "200ms"}
    api = services.start_api(load(PROJECT), settings)
    worker = services.start(load(PROJECT), "worker", settings)
    address = {"DATABASE_URL": database.url, "API_PORT": api.settings["API_PORT"]}

    def reasons(status: int) -> dict[str, str | None]:
        ended = script("healthcheck", "--json", **address)
        assert ended.status == status
        return {name: found["reason"] for name, found in json.loads(ended.out)["services"].items()}

    try:
        up = {"api-service": None, "worker-service": None, "postgresql": None}
        assert wait_until(lambda: script("healthcheck", **address).status == 0, 20)
        assert reasons(0) == up
        assert script("healthcheck", **address).out.split() == [
            *("api-service", "UP", "worker-service", "UP", "postgresql", "UP")
        ]
        worker.send(signal.SIGSTOP)
        assert wait_until(lambda: script("healthcheck", **address).status == 1, 20)
        assert "no worker runs; one was lost" in (reasons(1)["worker-service"] or "")
        api.kill()
        assert "refused" in (reasons(1)["api-service"] or "")
    finally:
        api.kill()
        worker.kill()


def test_those_who_hang_are_down(script: Callable[..., Ended], silence: str) -> None:
    started = time.monotonic()
    url = f"postgresql://flowforge:s3cret-word@127.0.0.1:{silence}/flowforge"
    ended = script("healthcheck", "--json", DATABASE_URL=url, API_PORT=silence)
    assert time.monotonic() - started < 30
    assert ended.status == 1
    found = json.loads(ended.out)
    assert found["status"] == "down"
    assert {name: service["status"] for name, service in found["services"].items()} == {
        "api-service": "down",
        "worker-service": "down",
        "postgresql": "down",
    }
    assert all(service["reason"] for service in found["services"].values())


def test_a_worker_cannot_be_up_without_its_table(script: Callable[..., Ended]) -> None:
    with postgres.open_server().database("empty") as empty:
        ended = script("healthcheck", DATABASE_URL=empty.url, API_PORT="1")
    api, worker, database = ended.out.splitlines()
    assert api.split()[:2] == ["api-service", "DOWN"]
    assert worker.split()[:2] == ["worker-service", "DOWN"]
    assert "migrations" in worker
    assert database.split() == ["postgresql", "UP"]


# -- load --------------------------------------------------------------------------------------------------


class SlowAndFlaky(BaseHTTPRequestHandler):
    """Creates three tasks of four, after 50 ms."""

    protocol_version = "HTTP/1.1"
    requests = 0
    at_once = 0
    most_at_once = 0
    lock = threading.Lock()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = type(self)
        with self.lock:
            kind.requests += 1
            kind.at_once += 1
            kind.most_at_once = max(kind.most_at_once, kind.at_once)
            number = kind.requests
        time.sleep(0.05)
        with self.lock:
            kind.at_once -= 1
        self.send_response(500 if number % 4 == 0 else 201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        pass


def test_load_is_counted_and_timed(script: Callable[..., Ended]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowAndFlaky) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = script(
            *("load-test", "--requests", "20", "--concurrency", "4", "--json"),
            API_PORT=str(server.server_port),
        )
        server.shutdown()
    assert ended.status == 1
    report = json.loads(ended.out)
    assert (report["requests"], report["succeeded"], report["failed"]) == (20, 15, 5)
    assert 50 <= report["p50_ms"] <= report["p95_ms"] <= report["p99_ms"]
    assert SlowAndFlaky.requests == 20
    assert SlowAndFlaky.most_at_once == 4
    assert "5 x answered with 500" in ended.err


def test_load_on_nobody(script: Callable[..., Ended]) -> None:
    ended = script("load-test", "--requests", "3", "--json", API_PORT="1")
    assert ended.status == 1
    nothing = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"))
    assert json.loads(ended.out) == {"requests": 3, "succeeded": 0, "failed": 3, **nothing}
    assert ended.err == "3 x Connection refused\n"


def test_load_on_the_api(script: Callable[..., Ended], database: Database) -> None:
    api = services.start_api(load(PROJECT), {"DATABASE_URL": database.url})
    try:
        ended = script("load-test", "--requests", "12", API_PORT=api.settings["API_PORT"])
    finally:
        api.kill()
    assert ended.status == 0, ended.err
    assert ended.out.startswith("12 of 12 requests succeeded (100.0%)\np50 ")
    assert len(rows(database)) == 12


@pytest.mark.parametrize(("percent", "value"), [(50, 5), (95, 10), (99, 10), (10, 1), (11, 2)])
def test_percentiles_are_values_that_were_measured(percent: int, value: int) -> None:
    percentile = source("load-test")["percentile"]
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == value
    assert percentile([], percent) is None


def source(name: str) -> dict[str, Any]:
    """What a script defines; its name is none that could be imported."""
    with_ctrl_c, path = signal.getsignal(signal.SIGINT), list(sys.path)
    sys.path.insert(0, str(SCRIPTS))
    try:
        return runpy.run_path(str(SCRIPTS / f"{name}.py"))
    finally:
        signal.signal(signal.SIGINT, with_ctrl_c)
        sys.path[:] = path
