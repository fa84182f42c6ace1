"""The embedded server: started once, shared by every run of a user, kept for the next, stopped when idle."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from labkit.errors import LabError
from labkit.postgres import runs
from labkit.postgres.cluster import (
    Store,
    admin_url,
    all_stores,
    forget,
    open_store,
    prepare,
    start_lock,
)
from labkit.postgres.connection import connect, first_line
from labkit.postgres.databases import Server, clients, count_databases, sweep
from labkit.postgres.launch import launch, launch_copy
from labkit.postgres.locks import is_locked, locked, try_lock
from labkit.postgres.postmaster import (
    Postmaster,
    StartError,
    bound_log,
    find,
    stop,
    stop_on,
)
from labkit.postgres.processes import kill, spawn_keeper
from labkit.postgres.shared import DEFAULT_IDLE, Shared, close_down
from labkit.postgres.state import (
    duration,
    fast_folder,
    make_folder,
    state_folder,
)
from labkit.postgres.wheel import MAJOR


def open_embedded() -> Server:
    """The shared server, running, with this process known as one of its runs."""
    idle = duration(os.environ.get("LAB_POSTGRES_IDLE") or DEFAULT_IDLE, "LAB_POSTGRES_IDLE")
    shared = Shared(open_store())
    with locked(start_lock(shared.store.state)):
        make_folder(shared.store.folder)
        alone = not is_locked(shared.store.runs_lock)
        runs.hold(shared.store.runs_lock)
        _ensure_keeper(shared, idle)  # before there is something to keep: this process may be killed any time
        postmaster = find(shared.data)
        if postmaster is None or not _answers(shared, postmaster, alone):
            postmaster = _start(shared, keep_data=not alone)
            _retire_others(shared.store)
    bound_log(shared.log)
    server = _describe(shared, postmaster)
    runs.register(server.key)
    sweep(server)
    return server


def sweep_dead_runs(shared: Shared) -> None:
    """Drop what runs that have ended left on the server, if it runs."""
    if (postmaster := find(shared.data)) is not None:
        sweep(_describe(shared, postmaster))


def connected(shared: Shared) -> int:
    """How many clients are connected to the server."""
    if (postmaster := find(shared.data)) is None:
        return 0
    return clients(admin_url(shared.store, postmaster.port))


def _describe(shared: Shared, postmaster: Postmaster) -> Server:
    """The running server as the checks use it."""
    return Server("embedded", admin_url(shared.store, postmaster.port), MAJOR, postmaster.sockets)


def stop_shared() -> bool:
    """Stop this user's shared servers, of whatever version, and their keepers; whether one was running."""
    state = state_folder()
    stopped = False
    with locked(start_lock(state)):
        for store in all_stores(state):
            shared = Shared(store)
            stopped |= find(shared.data) is not None
            _dismiss_keeper(shared)
            close_down(shared)
    return stopped


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
    state = state_folder()
    for store in all_stores(state):
        if (postmaster := find(Shared(store).data)) is not None:
            url = admin_url(store, postmaster.port)
            uptime = time.time() - postmaster.started
            counts = (0, 0)
            with suppress(psycopg.Error):
                counts = (count_databases(url), clients(url))
            return Status(store.folder, postmaster.pid, postmaster.port, uptime, *counts)
    return Status(state)


def _answers(shared: Shared, postmaster: Postmaster, alone: bool) -> bool:
    """Whether a server that is there can be used; one that does not answer and is nobody's is put away."""
    try:
        connect(admin_url(shared.store, postmaster.port)).close()
        return True
    except (psycopg.Error, OSError) as error:
        if not postmaster.alive() or alone:
            stop(postmaster, "immediate")
            return False
        raise LabError(
            f"PostgreSQL on 127.0.0.1:{postmaster.port} (process {postmaster.pid}) does not answer, "
            f"and another run uses it: {first_line(error)}.",
            "Wait for that run to end, or stop the server with `lab down`.",
        ) from error


def _start(shared: Shared, keep_data: bool) -> Postmaster:
    """Start the server: on the data of a crashed one if other runs need that, else on a fresh copy."""
    store = shared.store
    prepare(store)
    port = _last_port(shared)
    stop_on(shared.data)
    if keep_data and (shared.data / "PG_VERSION").exists():
        (shared.data / "postmaster.pid").unlink(missing_ok=True)
        with suppress(StartError):
            return launch(store, shared.data.parent, shared.log, port)
    close_down(shared)
    fast = fast_folder(store.state)
    if fast == store.state:
        make_folder(shared.live)
    else:
        shared.live.symlink_to(make_folder(fast / store.folder.name))
    stop_on(shared.data)  # again: the link to it may have been lost
    return launch_copy(store, shared.data.parent, shared.log, port)


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
        if other != store and not is_locked(shared.store.runs_lock):
            _dismiss_keeper(shared)
            close_down(shared)
            forget(other)


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
