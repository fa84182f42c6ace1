"""Servers of a test's own: stopped, frozen, and never left behind."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from labkit.errors import LabError
from labkit.postgres import PrivateServer, private, private_server, stop_shared


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A state folder for this file, in which no server and no guard is left at the end."""
    fast = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="lab-test-", dir=fast if fast.is_mount() else "/var/tmp"))
    folder.chmod(0o711)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_STATE_DIR", str(folder))
        yield folder
        stop_shared()
    assert eventually(lambda: not processes_of(folder)), processes_of(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def one(state: Path) -> Iterator[PrivateServer]:
    with private_server() as server:
        yield server


@pytest.fixture
def server(one: PrivateServer) -> Iterator[PrivateServer]:
    """A private server that runs, whatever the test before did to it."""
    one.thaw()
    one.start()
    return one


def eventually(condition: Callable[[], bool], within_s: float = 20) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes_of(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in argument for argument in process.info["cmdline"] or [])
    ]


def refuses(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return "refused" in str(error)
    return False


@pytest.mark.parametrize("mode", ["fast", "immediate", "smart"])
def test_what_was_committed_is_there_after_a_stop(server: PrivateServer, mode: str) -> None:
    with server.server.database() as database:
        with psycopg.connect(database.url) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        server.stop(mode)  # type: ignore[arg-type]
        assert refuses(database.url)
        server.start()
        with psycopg.connect(database.url) as connection:
            assert connection.execute("SELECT * FROM kept").fetchall() == []


def test_stopping_breaks_connections_at_once(server: PrivateServer) -> None:
    with psycopg.connect(server.server.admin_url) as connection:
        server.restart()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert not refuses(server.server.admin_url)


def test_starting_and_stopping_twice_does_no_harm(server: PrivateServer) -> None:
    server.start()
    server.stop()
    server.stop()
    server.freeze()
    server.thaw()
    server.start()
    assert not refuses(server.server.admin_url)


def test_frozen_it_keeps_connections_and_answers_nothing(server: PrivateServer) -> None:
    with psycopg.connect(server.server.admin_url) as connection:
        server.freeze()
        connection.pgconn.send_query(b"SELECT 1")
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as knocking:
            knocking.settimeout(0.3)
            knocking.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")  # SSLRequest: answered with one byte
            with pytest.raises(TimeoutError):
                knocking.recv(1)
            connection.pgconn.consume_input()
            assert connection.pgconn.is_busy()
            server.thaw()
            knocking.settimeout(5)
            assert knocking.recv(1) == b"N"
        assert (result := connection.pgconn.get_result())
        assert result.get_value(0, 0) == b"1"
        assert connection.pgconn.get_result() is None


def test_frozen_it_can_be_stopped(server: PrivateServer) -> None:
    server.freeze()
    server.stop()
    assert refuses(server.server.admin_url)


def test_two_do_not_know_each_other(server: PrivateServer) -> None:
    with private_server() as other:
        assert other.port != server.port
        server.stop()
        assert not refuses(other.server.admin_url)


def test_a_test_that_fails_leaves_nothing(state: Path) -> None:
    seen: list[PrivateServer] = []

    def fail() -> None:
        with private_server() as server:
            seen.append(server)
            server.freeze()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not seen[0].folder.exists()
    assert refuses(seen[0].server.admin_url)


def test_a_port_taken_while_it_was_stopped_is_named(
    server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private, "PORT_PATIENCE_S", 0.1)
    server.stop()
    with (
        socket.create_server(("127.0.0.1", server.port)),
        pytest.raises(LabError, match="Address already in use"),
    ):
        server.start()


DYING = """\
import os, signal, sys
from labkit.postgres import private_server
with private_server() as server:
    {before}
    print(server.folder, server.server.admin_url, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def die(before: str) -> tuple[Path, str]:
    """A process with a private server that is killed; the server's folder and URL."""
    dead = subprocess.run(
        [sys.executable, "-c", DYING.format(before=before)], stdout=subprocess.PIPE, text=True
    )
    assert dead.returncode == -signal.SIGKILL
    folder, url = dead.stdout.split()
    return Path(folder), url


@pytest.mark.parametrize("before", ["pass", "server.freeze()", "server.stop()"])
def test_nothing_stays_behind_when_its_owner_is_killed(state: Path, before: str) -> None:
    folder, url = die(before)
    assert eventually(lambda: not processes_of(folder) and not folder.exists())
    assert refuses(url)


def test_nothing_stays_behind_when_its_guard_is_killed_too(state: Path) -> None:
    kill_guard = (
        "import psutil; [p.kill() for p in psutil.process_iter(['cmdline'])"
        " if {'private', str(server.folder)} <= set(p.info['cmdline'] or ())]"
    )
    folder, url = die(kill_guard)
    assert folder.exists()
    assert not refuses(url)
    with private_server():
        assert not folder.exists()
        assert refuses(url)


def test_nothing_stays_behind_when_its_owner_is_killed_while_it_starts(state: Path) -> None:
    before = set(state.glob("private/*"))
    code = "from labkit.postgres import private_server\nwith private_server(): input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as owner:
        assert eventually(lambda: bool([p for p in set(state.glob("private/*")) - before if p.is_dir()]))
        owner.kill()
    assert eventually(lambda: not [p for p in set(state.glob("private/*")) - before if p.is_dir()])
