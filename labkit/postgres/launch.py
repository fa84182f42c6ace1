"""Servers from a store: on a fresh copy of its template or on what a crash left, on a port that is free."""

from __future__ import annotations

from pathlib import Path

from labkit.postgres.cluster import Store, copy_template, prepare, spoil
from labkit.postgres.postmaster import Postmaster, StartError, free_port, port_is_free, start
from labkit.postgres.state import socket_folder

_PORT_TRIES = 5
_SOCKET = ".s.PGSQL.{}"


def launch_copy(store: Store, folder: Path, log: Path, port: int | None = None) -> Postmaster:
    """A server on a fresh copy in `folder`/data. Whatever is broken in the store is made anew, once.

    The caller holds the store's start lock.
    """
    try:
        copy_template(store, folder / "data")
        return launch(store, folder, log, port)
    except StartError as error:
        if error.port_taken:
            raise
        spoil(store)
        prepare(store)
        copy_template(store, folder / "data")
        return launch(store, folder, log, port)


def launch(store: Store, folder: Path, log: Path, port: int | None = None) -> Postmaster:
    """A server on the data in `folder`/data, on `port` if that is free, else on any.

    A port that is free now can be taken a moment later: others are tried.
    """
    tried: list[int] = []
    while True:
        tried.append(port if port and not tried and port_is_free(port) else free_port(tried))
        try:
            return launch_on(store, folder, log, tried[-1])
        except StartError as error:
            if not error.port_taken or len(tried) == _PORT_TRIES:
                raise


def launch_on(store: Store, folder: Path, log: Path, port: int) -> Postmaster:
    """A server on the data in `folder`/data and on `port`; its unix socket is on the default port too."""
    sockets = socket_folder(folder, store.account)
    if sockets is not None:
        for left in sockets.glob(_SOCKET.format("*")):  # by a crash; the server takes it for a live one's
            left.unlink()
    postmaster = start(store.postgres, folder / "data", port, sockets, log, store.account)
    if sockets is not None:
        (sockets / _SOCKET.format(5432)).symlink_to(_SOCKET.format(port))
    return postmaster
