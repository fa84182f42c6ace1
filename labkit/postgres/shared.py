"""The files of the shared server, for the runs that use it and for the keeper that stops it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labkit.postgres.cluster import Store, remove
from labkit.postgres.postmaster import stop_on
from labkit.postgres.state import duration, remove_socket_folder

DEFAULT_IDLE = "10m"


@dataclass(frozen=True)
class Shared:
    """The files of the shared server that belongs to a store."""

    store: Store

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
            return duration(DEFAULT_IDLE, "LAB_POSTGRES_IDLE")


def close_down(shared: Shared) -> None:
    """Stop the server, if there is one, and delete its data. The caller holds the start lock."""
    stop_on(shared.data)
    remove_socket_folder(shared.data.parent)
    if shared.live.is_symlink():
        remove(shared.live.resolve())
    remove(shared.live)
