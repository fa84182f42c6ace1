"""A server of one's own, for checks that stop PostgreSQL under a running service."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit.postgres import runs
from labkit.postgres.cluster import Store, admin_url, open_store, prepare, remove, start_lock
from labkit.postgres.databases import Server
from labkit.postgres.launch import launch_copy, launch_on
from labkit.postgres.locks import locked, share_lock, try_lock
from labkit.postgres.postmaster import (
    Postmaster,
    StopMode,
    find,
    freeze,
    port_is_free,
    stop,
    stop_on,
    thaw,
)
from labkit.postgres.processes import spawn_keeper
from labkit.postgres.state import fast_folder, host, make_folder, remove_socket_folder
from labkit.postgres.wheel import MAJOR

PORT_PATIENCE_S = 5.0


@dataclass(frozen=True)
class PrivateServer:
    """A server that belongs to one test. It keeps its port and its data from stop to start."""

    server: Server
    folder: Path
    port: int
    store: Store

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it on its port; nothing happens if it runs. StartError when somebody else has the port."""
        if self._running() is None:
            deadline = time.monotonic() + PORT_PATIENCE_S
            while not port_is_free(self.port) and time.monotonic() < deadline:
                time.sleep(0.02)
            launch_on(self.store, self.folder, self.folder / "server.log", self.port)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop it as PostgreSQL's own signals do, and wait; nothing happens if it does not run."""
        if postmaster := self._running():
            stop(postmaster, mode)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start it."""
        self.stop(mode)
        self.start()

    def freeze(self) -> None:
        """Let nothing answer any more, while every connection stays open (SIGSTOP to all its processes)."""
        if postmaster := self._running():
            freeze(postmaster)

    def thaw(self) -> None:
        """Undo `freeze`."""
        if postmaster := self._running():
            thaw(postmaster)

    def _running(self) -> Postmaster | None:
        return find(self.data)


@contextmanager
def private_server() -> Iterator[PrivateServer]:
    """A running server of one's own; stopped and deleted at the end, by a guard if this process is killed."""
    store = open_store()
    base = make_folder(fast_folder(store.state).resolve() / "private")
    folder = base / f"{host()}_{os.getpid()}_{secrets.token_hex(3)}"
    lock_file = base / f"{folder.name}.lock"
    with ExitStack() as stack:
        with locked(start_lock(store.state)):
            make_folder(store.folder)
            runs.hold(store.runs_lock)
            prepare(store)
            _sweep(base)
            stack.callback(lock_file.unlink, missing_ok=True)
            stack.callback(os.close, share_lock(lock_file))
            watched, held = os.pipe()
            stack.callback(os.close, held)
            try:
                make_folder(folder)
                stack.callback(_delete, folder)
                spawn_keeper("private", folder, watched, folder / "guard.log")
            finally:
                os.close(watched)
            postmaster = launch_copy(store, folder, folder / "server.log")
        server = Server("embedded", admin_url(store, postmaster.port), MAJOR, postmaster.sockets)
        yield PrivateServer(server, folder, postmaster.port, store)


def _delete(folder: Path) -> None:
    stop_on(folder / "data")
    remove_socket_folder(folder)
    remove(folder)


def _sweep(base: Path) -> None:
    """Delete private servers whose owner and guard were both killed, or the machine switched off."""
    for lock_file in base.glob(f"{host()}_*.lock"):
        if (lock := try_lock(lock_file)) is not None:
            _delete(lock_file.with_suffix(""))
            lock_file.unlink(missing_ok=True)
            os.close(lock)
