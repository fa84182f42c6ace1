"""The life of the shared embedded server: shared, recovered, stopped when idle."""

from __future__ import annotations

import os
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
from labkit.postgres import connection, launch, open_server, shared_status, stop_shared

OPEN = "import os, sys\nfrom labkit.postgres import *\ns = open_server('embedded')\n"


def new_folder() -> Path:
    fast = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="lab-test-", dir=fast if fast.is_mount() else "/var/tmp"))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A state folder with an initialised cluster: a fifth of the time that making one takes."""
    folder = new_folder()
    run(OPEN, LAB_STATE_DIR=str(folder)).communicate()
    run("from labkit.postgres import *\nstop_shared()", LAB_STATE_DIR=str(folder)).communicate()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder with nothing in it; afterwards nothing runs that has to do with it."""
    folder = new_folder()
    monkeypatch.setenv("LAB_STATE_DIR", str(folder))
    monkeypatch.delenv("LAB_POSTGRES_URL", raising=False)
    monkeypatch.delenv("LAB_POSTGRES_IDLE", raising=False)
    yield folder
    stop_shared()
    assert eventually(lambda: not processes_of(folder)), processes_of(folder)
    shutil.rmtree(folder)


@pytest.fixture
def state(empty: Path, prepared: Path) -> Path:
    """A state folder from which a server starts at once."""
    subprocess.run(["cp", "-Rp", f"{prepared}/.", str(empty)], check=True)
    return empty


def eventually(condition: Callable[[], bool], within_s: float = 20) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes_of(folder: Path) -> list[psutil.Process]:
    """Servers and keepers that work in a state folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in argument for argument in process.info["cmdline"] or [])
    ]


def run(code: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def server_pid() -> int:
    pid = shared_status().pid
    assert pid is not None
    return pid


def test_two_runs_that_start_at_once_share_one_server(empty: Path) -> None:
    both = [run(f"{OPEN}print(shared_status().pid)") for _ in range(2)]
    said = [process.communicate()[0].strip() for process in both]
    assert said[0] == said[1]
    assert said == [str(server_pid())] * 2


def test_it_is_kept_for_the_next_run_and_stopped_on_demand(state: Path) -> None:
    assert not stop_shared()
    assert "not running" in str(shared_status())
    server = open_server()
    pid = server_pid()
    server.close()
    assert open_server() == server
    status = shared_status()
    assert (status.pid, status.databases, status.clients) == (pid, 0, 0)
    assert f"127.0.0.1:{status.port}" in str(status)
    assert stop_shared()
    assert not answers(server.admin_url)
    assert eventually(lambda: not processes_of(state))
    assert not stop_shared()


def test_it_is_nobodys_child_and_has_its_own_session(state: Path) -> None:
    open_server()
    postmaster = psutil.Process(server_pid())
    assert postmaster not in psutil.Process().children(recursive=True)
    assert os.getsid(postmaster.pid) != os.getsid(0)


def test_a_killed_server_comes_back_with_what_live_runs_have_there(state: Path) -> None:
    server = open_server()
    database = server.create_database()
    with psycopg.connect(database.url) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    os.kill(server_pid(), signal.SIGKILL)
    again = open_server()
    assert again.admin_url == server.admin_url, "live runs know it by this address"
    with psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT * FROM kept").fetchall() == []


def test_a_frozen_server_is_replaced(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(OPEN).communicate()
    pid = server_pid()
    monkeypatch.setattr(connection, "CONNECT_PATIENCE_S", 2)
    os.kill(pid, signal.SIGSTOP)
    assert answers(open_server().admin_url)
    assert server_pid() != pid


def test_the_folder_that_a_reboot_leaves(state: Path) -> None:
    run(OPEN).communicate()
    data = next(state.glob("*/live")) / "data"
    stale = (data / "postmaster.pid").read_text().splitlines()
    for process in processes_of(state):
        process.kill()
    assert eventually(lambda: not psutil.pid_exists(int(stale[0])) or not processes_of(state))
    stale[0] = str(os.getpid())  # somebody else has that process id now
    (data / "postmaster.pid").write_text("\n".join(stale))
    assert answers(open_server().admin_url)


@pytest.mark.parametrize("broken", ["template/global", "programs", "password"])
def test_what_is_broken_in_the_state_folder_is_made_anew(state: Path, broken: str) -> None:
    victim = next(state.glob("*/ready")).parent / broken
    shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
    assert answers(open_server().admin_url)


def test_a_state_folder_of_another_version_goes(state: Path) -> None:
    store = next(state.glob("*/ready")).parent
    old = store.with_name(store.name.rsplit("-", 1)[0] + "-older")
    store.rename(old)
    open_server()
    assert store.exists()
    assert not old.exists()


def test_a_narrow_umask_does_not_lock_it_out(empty: Path) -> None:
    with run(f"import os\nos.umask(0o077)\n{OPEN}print(s.create_database().socket_url)") as process:
        assert process.stdout is not None
        assert answers(process.stdout.readline().strip())


def test_its_log_does_not_grow_for_ever(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_POSTGRES_IDLE", "200ms")  # the keeper looks more often then
    open_server()
    log = next(state.glob("*/server.log"))
    with log.open("ab") as file:
        file.truncate(1 << 30)
    assert eventually(lambda: log.stat().st_size < 1 << 20)


def test_it_stops_when_the_last_run_has_ended(state: Path) -> None:
    url = f"{OPEN}print(s.admin_url, flush=True)\n"
    with run(f"{url}sys.stdin.read()", LAB_POSTGRES_IDLE="0s") as first:
        assert first.stdout is not None
        admin_url = first.stdout.readline().strip()
        assert run(url, LAB_POSTGRES_IDLE="0s").communicate()[0].strip() == admin_url
        assert answers(admin_url)
        first.kill()
    assert eventually(lambda: not processes_of(state))
    assert not list(state.glob("*/live"))


def test_it_stays_while_a_client_is_connected(state: Path) -> None:
    url = run(f"{OPEN}print(s.admin_url)", LAB_POSTGRES_IDLE="10m").communicate()[0].strip()
    with psycopg.connect(url, autocommit=True) as client:
        next(state.glob("*/idle")).write_text("0.0")
        seen = "SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'"
        before = client.execute(seen).fetchone() or (0,)
        # The keeper has asked twice who is there, and let the server live.
        assert eventually(lambda: (client.execute(seen).fetchone() or (0,))[0] >= before[0] + 2)
    assert eventually(lambda: not processes_of(state))


def test_without_its_state_folder_nothing_lives_on(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_POSTGRES_IDLE", "200ms")
    open_server()
    store = next(state.glob("*/ready")).parent
    store.rename(state / "elsewhere")
    assert eventually(lambda: not processes_of(state))


def test_a_port_that_is_taken_meanwhile_costs_another_try(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        choices = iter([taken.getsockname()[1]])
        free_port = launch.free_port
        monkeypatch.setattr(launch, "free_port", lambda tried: next(choices, 0) or free_port(tried))
        assert answers(open_server().admin_url)
        assert next(choices, None) is None


def test_every_port_taken_is_an_error_with_the_servers_words(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(launch, "free_port", lambda tried: taken.getsockname()[1])
        monkeypatch.setattr(launch, "_PORT_TRIES", 2)
        with pytest.raises(LabError, match="Address already in use"):
            open_server()
