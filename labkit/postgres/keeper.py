"""Processes that outlive a run: one stops the idle shared server, others clean up after killed runs.

Started detached by `spawn_keeper` and ended by themselves.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path

from labkit.postgres.cluster import Store, remove, start_lock
from labkit.postgres.locks import is_locked, locked
from labkit.postgres.postmaster import bound_log, find, stop_on
from labkit.postgres.shared import Shared, close_down
from labkit.postgres.state import remove_socket_folder, service_account

_LOOK_EVERY_S = 1.0
_ASK_EVERY_S = 0.5
"""Least time between two looks at who is connected, when the limit is shorter than that."""
_CLEAN_UP_S = 30.0


def main(duty: str, folder: str, descriptor: str) -> None:
    """Do one duty for a folder: `shared` keeps a server, `private` guards a private one."""
    if duty == "shared":
        keep(Shared(Store(Path(folder).parent, Path(folder), service_account())), int(descriptor))
    else:
        guard(Path(folder), int(descriptor))


def keep(shared: Shared, lock: int) -> None:
    """Stop the shared server when it has been idle for its limit; end when there is none to keep any more."""
    idle_since: float | None = None
    data = shared.data
    while True:
        limit = shared.idle_limit()
        time.sleep(min(_LOOK_EVERY_S, max(limit / 4, 0.05)))
        if not shared.store.folder.exists():  # deleted under the server
            stop_on(data)
            remove_socket_folder(data.parent)
            remove(data.parent)
            return
        data = shared.data
        bound_log(shared.log)
        if is_locked(shared.store.runs_lock):
            idle_since = None
            continue
        running = find(data) is not None
        if running and idle_since is None:
            idle_since = time.monotonic()
            _sweep(shared)
        if running and time.monotonic() - (idle_since or 0) < limit:
            continue
        if running and _connected(shared):
            idle_since = time.monotonic() + max(_ASK_EVERY_S - limit, 0)
            continue
        with locked(start_lock(shared.store.state)):
            if not is_locked(shared.store.runs_lock):
                close_down(shared)
                os.close(lock)  # before anybody else can start a server and look for its keeper
                return


def guard(folder: Path, owner: int) -> None:
    """Wait until the other end of the pipe `owner` is closed; then leave nothing of a private server."""
    while not select.select([owner], [], [], _LOOK_EVERY_S)[0]:
        bound_log(folder / "server.log")
    deadline = time.monotonic() + _CLEAN_UP_S
    while folder.exists() and time.monotonic() < deadline:  # copying may still be under way
        stop_on(folder / "data")
        remove_socket_folder(folder)
        remove(folder)
    folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)


def _sweep(shared: Shared) -> None:
    """Drop what the runs that have ended left."""
    # Imported here because a guard never needs it. What goes wrong, the next run will see. The code may be
    # gone: a server can outlive the environment that it was started from.
    with suppress(Exception):
        from labkit.postgres.embedded import sweep_dead_runs

        sweep_dead_runs(shared)


def _connected(shared: Shared) -> bool:
    """Whether anybody is connected to the server; nobody is to one that does not answer."""
    with suppress(Exception):
        from labkit.postgres.embedded import connected

        return connected(shared) > 0
    return False
