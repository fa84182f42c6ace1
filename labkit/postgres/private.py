"""A server of one's own, for checks that stop PostgreSQL under a running service."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit.postgres.cluster import (
    Store,
    admin_url,
    copy_template,
    open_store,
    prepare,
    remove,
    spoil,
    start_lock,
)
from labkit.postgres.databases import Server
from labkit.postgres.embedded import link_default_port, spawn_keeper
from labkit.postgres.postmaster import (
    Postmaster,
    StartError,
    StopMode,
    find,
    free_port,
    freeze,
    port_is_free,
    start,
    stop,
    stop_on,
    thaw,
)
from labkit.postgres.state import fast_folder, host, locked, make_folder, socket_folder, try_lock
from labkit.postgres.wheel import MAJOR

_PORT_PATIENCE_S = 5.0


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
        """Start it on its port; nothing happens if it runs."""
        if self._running() is None:
            _start(self.store, self.folder, self.port)

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
    with locked(start_lock(store.state)):
        prepare(store)
    base = make_folder(fast_folder(store.state).resolve() / "private")
    _sweep(base)
    folder = base / f"{host()}_{os.getpid()}_{secrets.token_hex(3)}"
    lock = try_lock(base / f"{folder.name}.lock")
    watched, held = os.pipe()
    try:
        make_folder(folder)
        spawn_keeper("private", folder, watched, folder / "guard.log")
        yield _open(store, folder)
    finally:
        stop_on(folder / "data")
        remove(folder)
        (base / f"{folder.name}.lock").unlink(missing_ok=True)
        for descriptor in (watched, held, lock):
            if descriptor is not None:
                os.close(descriptor)


def _open(store: Store, folder: Path) -> PrivateServer:
    """Make the server and start it, on another port if somebody takes the chosen one at this very moment."""
    tried: list[int] = []
    while True:
        try:
            copy_template(store, folder / "data")
            tried.append(free_port(tried))
            postmaster = _start(store, folder, tried[-1], patience_s=0)
            break
        except StartError as error:
            if len(tried) >= 5 or not (error.port_taken or not tried):
                raise
            if not tried:  # the template is broken: make it anew, once
                tried.append(0)
                with locked(start_lock(store.state)):
                    spoil(store)
                    prepare(store)
    server = Server("embedded", admin_url(store, postmaster.port), MAJOR, postmaster.sockets)
    return PrivateServer(server, folder, postmaster.port, store)


def _start(store: Store, folder: Path, port: int, patience_s: float = _PORT_PATIENCE_S) -> Postmaster:
    deadline = time.monotonic() + patience_s
    while not port_is_free(port):
        if time.monotonic() >= deadline:
            break
        time.sleep(0.02)
    sockets = socket_folder(folder, store.account)
    postmaster = start(store.postgres, folder / "data", port, sockets, folder / "server.log", store.account)
    link_default_port(postmaster)
    return postmaster


def _sweep(base: Path) -> None:
    """Delete private servers whose owner and guard were both killed, or the machine switched off."""
    for lock_file in base.glob(f"{host()}_*.lock"):
        if (lock := try_lock(lock_file)) is not None:
            folder = lock_file.with_suffix("")
            stop_on(folder / "data")
            remove(folder)
            lock_file.unlink(missing_ok=True)
            os.close(lock)
