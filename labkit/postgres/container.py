"""A server in a container, for machines on which the embedded one does not run."""

from __future__ import annotations

from labkit.errors import LabError
from labkit.postgres.databases import Server


def open_container() -> Server:
    """A server in a container of this run's own; `close` stops it."""
    raise LabError("no container yet")
