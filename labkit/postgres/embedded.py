"""The embedded server: started once, shared by every run of a user, kept for the next one, stopped when idle."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

import labkit
from labkit.errors import LabError
from labkit.postgres import runs
from labkit.postgres.cluster import (
    Store,
    admin_url,
    all_stores,
    copy_template,
    forget,
    open_store,
    prepare,
    remove,
    spoil,
    start_lock,
)
from labkit.postgres.databases import Server, clients, connect, count_databases, sweep
from labkit.postgres.postmaster import (
    Postmaster,
    StartError,
    bound_log,
    clean_environment,
    find,
    free_port,
    kill,
    port_is_free,
    spawn_detached,
    start,
    stop_on,
)
from labkit.postgres.state import (
    duration,
    fast_folder,
    is_locked,
    locked,
    make_folder,
    socket_folder,
    state_folder,
    try_lock,
)
from labkit.postgres.wheel import MAJOR

_IDLE = "10m"
_PORT_TRIES = 5


@dataclass(frozen=True)
class Shared:
    """The files of the shared server that belongs to a store."""

    store: Store

    @property
    def runs_lock(self) -> Path:
        """Shared by every run that uses the server."""
        return self.store.folder / "runs.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper for as long as it lives; its process id is inside."""
        return self.store.folder / "keeper.lock"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.store.folder / "server.log"

    @property
    def live(self) -> Path:
        """The folder that a running server works in: a folder here, or a link to one in memory."""
        return self.store.folder / "live"

    @property
    def data(self) -> Path:
        """The running server's data."""
        return self.live.resolve() / "data"

    def idle_limit(self) -> float:
        """For how long the server is kept when nobody uses it, in seconds; the last run's wish counts."""
        try:
            return float((self.store.folder / "idle").read_text())
        except (OSError, ValueError):
            return duration(_IDLE, "LAB_POSTGRES_IDLE")


def open_embedded() -> Server:
    """The shared server, running, with this process known as one of its runs."""
    idle = duration(os.environ.get("LAB_POSTGRES_IDLE") or _IDLE, "LAB_POSTGRES_IDLE")
    shared = Shared(open_store())
    with locked(start_lock(shared.store.state)):
        make_folder(shared.store.folder)
        alone = not is_locked(shared.runs_lock)
        runs.hold(shared.runs_lock)
        postmaster = find(shared.data)
        if postmaster is None or not _answers(shared, postmaster, alone):
            postmaster = _start(shared, keep_data=not alone)
            _retire_others(shared.store)
        _ensure_keeper(shared, idle)
    bound_log(shared.log)
    server = describe(shared, postmaster)
    runs.register(server.key)
    sweep(server)
    return server


def describe(shared: Shared, postmaster: Postmaster) -> Server:
    """The running server as the checks use it."""
    return Server("embedded", admin_url(shared.store, postmaster.port), MAJOR, postmaster.sockets)


def stop_shared() -> bool:
    """Stop the shared servers of this user now, of whatever version, and their keepers; whether one was running."""
    state = state_folder()
    stopped = False
    with locked(start_lock(state)):
        for store in all_stores(state):
            shared = Shared(store)
            stopped |= find(shared.data) is not None
            _dismiss_keeper(shared)
            close_down(shared)
    return stopped


def close_down(shared: Shared) -> None:
    """Stop the server, if there is one, and delete its data. The caller holds the start lock."""
    stop_on(shared.data)
    if shared.live.is_symlink():
        remove(shared.live.resolve())
    remove(shared.live)


@dataclass(frozen=True)
class Status:
    """What there is to know about the shared server; `pid` is None when it does not run."""

    folder: Path
    pid: int | None = None
    port: int | None = None
    uptime_s: float = 0.0
    databases: int = 0
    clients: int = 0

    def __str__(self) -> str:
        if self.pid is None:
            return f"PostgreSQL is not running (its files: {self.folder})"
        return (
            f"PostgreSQL runs on 127.0.0.1:{self.port}, process {self.pid}, for {_spoken(self.uptime_s)}, "
            f"{self.databases} databases of runs, {self.clients} clients (its log: {self.folder}/server.log)"
        )


def shared_status() -> Status:
    """How the shared server is, without starting it."""
    shared = Shared(open_store())
    postmaster = find(shared.data)
    if postmaster is None:
        return Status(shared.store.folder)
    url = admin_url(shared.store, postmaster.port)
    uptime = time.time() - postmaster.started
    try:
        return Status(
            shared.store.folder, postmaster.pid, postmaster.port, uptime, count_databases(url), clients(url)
        )
    except psycopg.Error:
        return Status(shared.store.folder, postmaster.pid, postmaster.port, uptime)


def _answers(shared: Shared, postmaster: Postmaster, alone: bool) -> bool:
    """Whether a server that is there can be used; one that does not answer and is nobody's is put away."""
    try:
        connect(admin_url(shared.store, postmaster.port)).close()
        return True
    except (psycopg.Error, OSError) as error:
        if not postmaster.alive() or alone:
            kill(postmaster.pid)
            return False
        raise LabError(
            f"PostgreSQL on 127.0.0.1:{postmaster.port} (process {postmaster.pid}) does not answer, and another run "
            f"uses it: {str(error).strip().splitlines()[0]}.",
            "Wait for that run to end, or stop the server with `lab down`.",
        ) from error


def _start(shared: Shared, keep_data: bool) -> Postmaster:
    """Start the server: on the data of a crashed one if other runs need that, else on a fresh copy."""
    prepare(shared.store)
    previous = _last_port(shared)
    stop_on(shared.data)
    if keep_data and (shared.data / "PG_VERSION").exists():
        with suppress(StartError):
            (shared.data / "postmaster.pid").unlink(missing_ok=True)
            return _start_on_some_port(shared, previous)
    try:
        return _start_afresh(shared, previous)
    except StartError:
        spoil(shared.store)  # whatever is broken there: make all of it anew
        prepare(shared.store)
        return _start_afresh(shared, previous)


def _start_afresh(shared: Shared, port: int | None) -> Postmaster:
    close_down(shared)
    store = shared.store
    fast = fast_folder(store.state)
    if fast == store.state:
        make_folder(shared.live)
    else:
        shared.live.symlink_to(make_folder(fast / store.folder.name))
    copy_template(store, shared.data)
    return _start_on_some_port(shared, port)


def _start_on_some_port(shared: Shared, port: int | None) -> Postmaster:
    """A port that is free now can be taken a moment later: try others."""
    store = shared.store
    sockets = socket_folder(shared.data.parent, store.account)
    tried: list[int] = []
    while True:
        tried.append(port if port and port not in tried and port_is_free(port) else free_port(tried))
        try:
            postmaster = start(store.postgres, shared.data, tried[-1], sockets, shared.log, store.account)
        except StartError as error:
            if not error.port_taken or len(tried) == _PORT_TRIES:
                raise
            continue
        link_default_port(postmaster)
        return postmaster


def link_default_port(postmaster: Postmaster) -> None:
    """Let `?host=/dir` reach the socket without a port."""
    if postmaster.sockets is not None:
        link = postmaster.sockets / ".s.PGSQL.5432"
        link.unlink(missing_ok=True)
        link.symlink_to(f".s.PGSQL.{postmaster.port}")


def _last_port(shared: Shared) -> int | None:
    """The port of a server that crashed: runs that still live know it by that."""
    with suppress(OSError, IndexError, ValueError):
        return int((shared.data / "postmaster.pid").read_text().splitlines()[3])
    return None


def _ensure_keeper(shared: Shared, idle: float) -> None:
    if shared.idle_limit() != idle or not (shared.store.folder / "idle").exists():
        (shared.store.folder / "idle").write_text(f"{idle}\n")
    if (lock := try_lock(shared.keeper_lock)) is None:
        return
    try:  # the keeper inherits the lock, so there is no moment in which nobody holds it
        pid = spawn_keeper("shared", shared.store.folder, lock, shared.store.folder / "keeper.log")
        shared.keeper_lock.write_text(f"{pid}\n")
    finally:
        os.close(lock)


def spawn_keeper(duty: str, folder: Path, descriptor: int, log: Path) -> int:
    """Start `keeper.py` for a folder, with one inherited descriptor; its process id."""
    code = "import sys; sys.path.append(sys.argv[1]); from labkit.postgres.keeper import main; main(*sys.argv[2:])"
    home = str(Path(labkit.__file__).parents[1])
    environment = clean_environment()
    environment |= {
        name: os.environ[name]
        for name in ("HOME", "LAB_STATE_DIR", "PYTHONPATH", "TMPDIR", "XDG_CACHE_HOME")
        if name in os.environ
    }
    command = [sys.executable, "-P", "-c", code, home, duty, str(folder), str(descriptor)]
    log.unlink(missing_ok=True)
    return spawn_detached(command, log, keep_open=[descriptor], environment=environment)


def _dismiss_keeper(shared: Shared) -> None:
    """End the keeper, if there is one. Its lock tells that the process id in the file is its own."""
    if not is_locked(shared.keeper_lock):
        return
    with suppress(OSError, ValueError):
        kill(int(shared.keeper_lock.read_text()))


def _retire_others(store: Store) -> None:
    """Stop and delete servers of other versions that no run uses."""
    for other in all_stores(store.state):
        shared = Shared(other)
        if other != store and not is_locked(shared.runs_lock):
            _dismiss_keeper(shared)
            close_down(shared)
            forget(other)


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
