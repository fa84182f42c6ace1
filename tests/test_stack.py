"""`lab up`: what it starts, what it says when that cannot be, and that Ctrl-C stops it all."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit import services, stack
from labkit.errors import UsageError
from labkit.ports import free_port

MakeProject = Callable[..., Path]
Soon = Callable[[Callable[[], object], str], None]

SERVES = """
    import http.server, os, signal, sys

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(os.environ["DATABASE_URL"].encode())

    def leave(number, frame):
        print("api leaves", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    server = http.server.HTTPServer((os.environ["API_HOST"], int(os.environ["API_PORT"])), Handler)
    print("api listens", flush=True)
    server.serve_forever()
"""
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def up(run: Any, nothing_left: None) -> Callable[..., Any]:
    """Runs `lab up` on a project, on a free port, with a database of its own choosing."""

    def start(folder: Path, **env: str) -> Any:
        settings = {"DATABASE_URL": NOWHERE, "API_PORT": str(free_port()), **env}
        return run("lab", "up", "--project", str(folder), env=settings)

    return start


# -- a stack that runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_everything_in_order(
    a_project: MakeProject, run: Any, soon: Soon, nothing_left: None, number: signal.Signals
) -> None:
    procfile = "migrate: python -S -c 'print(\"migrated\")'\napi: python main.py\nworker: python -S worker.py"
    worker = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("worker leaves"))
        print("worker works", flush=True)
        while True:
            time.sleep(600)
    """
    port = free_port()
    folder = a_project(procfile, main=SERVES, worker=worker)
    process = run.start(
        *("lab", "up", "--project", str(folder)),
        env={"API_PORT": str(port), "API_HOST": "", "DATABASE_URL": NOWHERE},
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(line.decode().rstrip() for line in process.stdout))
    reader.start()
    try:
        soon(
            lambda: {"api     | api listens", "worker  | worker works"} <= set(lines),
            f"both running: {lines}",
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert answer.read().decode() == NOWHERE
        process.send_signal(number)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
    assert lines[0] == "migrate | migrated"
    assert f"lab     | API     http://127.0.0.1:{port}" in lines
    assert "lab     | stopping …" in lines
    assert {"api     | api leaves", "worker  | worker leaves"} <= set(lines)
    assert "Traceback" not in "".join(lines)


def test_the_projects_python_is_the_one_of_the_checks(
    a_project: MakeProject, run: Any, nothing_left: None
) -> None:
    main = "import sys, psycopg\nprint('found psycopg', flush=True)\nsys.exit(3)"
    lab = (
        Path(sys.executable).parent / "lab"
    )  # as `make up` calls it, in a terminal that knows no environment
    settings = {"PATH": "/usr/bin:/bin", "DATABASE_URL": NOWHERE, "API_PORT": str(free_port())}
    ended = run(str(lab), "up", "--project", str(a_project("api: python main.py", main=main)), env=settings)
    assert ended.says("api     | found psycopg", "api ended with status 3")


def test_one_process_that_ends_stops_the_rest(a_project: MakeProject, up: Any) -> None:
    ended = up(a_project("api: python main.py\nworker: python -S -c 'raise SystemExit(7)'", main=SERVES))
    assert ended.status == 1
    assert ended.says("lab     | worker ended with status 7; stopping the rest.")


def test_a_process_that_ignores_sigterm_is_killed(
    a_project: MakeProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], soon: Soon
) -> None:
    stubborn = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("stubborn", flush=True)
        while True:
            time.sleep(600)
    """
    folder = a_project("api: python -S main.py\nworker: sh -c 'read -r line < fifo'", main=stubborn)
    os.mkfifo(folder / "fifo")
    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    monkeypatch.setenv("API_PORT", str(free_port()))
    monkeypatch.setattr(stack, "_GRACE_S", 0.05)
    started: list[services.Service] = []
    start = services.start

    def remember(*arguments: Any, **options: Any) -> services.Service:
        started.append(start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(services, "start", remember)

    def let_the_worker_end() -> None:
        soon(lambda: started and started[0].log() == ["stubborn"], "the api running")
        (folder / "fifo").write_text("go\n")

    thread = threading.Thread(target=let_the_worker_end)
    thread.start()
    assert stack.up(folder, "auto") == 1
    thread.join()
    assert [service.exit_code for service in started] == [-signal.SIGKILL, 0]
    assert "worker ended with status 0; stopping the rest." in capfd.readouterr().out


# -- a stack that cannot run -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("procfile", "sentences"),
    [
        ("ap1: python main.py", ["expected  a line `api: <command>`", "(is `ap1` a typo?)"]),
        ("api: pyhton main.py", ["'pyhton' is no program that can be found"]),
        ("api: python 'main.py", ["no closing quotation"]),
        ("worker: nonsense\napi: python main.py", ["'nonsense' is no program that can be found"]),
        ("migrate: nonsense\napi: python main.py", ["'nonsense' is no program that can be found"]),
    ],
)
def test_a_project_that_cannot_be_started(
    a_project: MakeProject, up: Any, procfile: str, sentences: list[str]
) -> None:
    ended = up(a_project(procfile, main=SERVES))
    assert ended.status == 1
    assert ended.says("lab     | The project cannot be started.", *sentences)


def test_an_api_that_exits_at_once(a_project: MakeProject, up: Any) -> None:
    ended = up(a_project("api: python -S main.py", main="raise SystemExit('no settings')"))
    assert ended.status == 1
    assert ended.says("api     | no settings", "lab     | api ended with status 1; stopping the rest.")


def test_migrations_that_fail(a_project: MakeProject, up: Any) -> None:
    ended = up(
        a_project("migrate: python -S -c 'raise SystemExit(\"no table\")'\napi: python main.py", main=SERVES)
    )
    assert ended.status == 1
    assert ended.says(
        "migrate | no table", "lab     | `migrate` ended with status 1; what it said stands above."
    )
    assert "api     |" not in ended.out


def test_migrations_that_never_end(
    a_project: MakeProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    monkeypatch.setenv("API_PORT", str(free_port()))
    monkeypatch.setattr(stack, "_MIGRATE_S", 0.1)
    folder = a_project(
        "migrate: python -S -c 'import time; time.sleep(600)'\napi: python main.py", main=SERVES
    )
    assert stack.up(folder, "auto") == 1
    assert "`migrate` did not end within " in capfd.readouterr().out


def test_a_port_in_use_is_told_with_who_has_it(
    a_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("API_PORT", str(port))
        with pytest.raises(UsageError) as caught:
            stack.up(a_project("api: python main.py", main=SERVES), "no such choice")
    assert caught.value.what.startswith(f"Port {port} is in use")
    if sys.platform == "linux":  # elsewhere only root may know
        assert f"process {os.getpid()}" in caught.value.what
    assert caught.value.remedy == "Stop that, or choose another port: API_PORT=8081 lab up"
    assert caught.value.exit_status == 4


@pytest.mark.parametrize("port", ["99999", "eighty", "-1", "²", ""])
def test_a_port_that_is_none_is_the_apis_affair(port: str) -> None:
    stack._require_free(port)


def test_a_postgresql_that_cannot_be_had_is_status_3(
    a_project: MakeProject, run: Any, nothing_left: None
) -> None:
    folder = a_project("api: python main.py", main=SERVES)
    ended = run(
        *("lab", "up", "--project", str(folder), "--postgres", NOWHERE),
        env={"API_PORT": str(free_port())},
    )
    assert ended.status == 3
    assert ended.says("lab: PostgreSQL at 127.0.0.1:1", "Start that server or correct the URL")
