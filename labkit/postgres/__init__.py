"""A PostgreSQL for the checks: one that is given by URL, an embedded one, or a container."""

from __future__ import annotations

from labkit.postgres.databases import Database, Server
from labkit.postgres.embedded import Status, shared_status, stop_shared
from labkit.postgres.opening import open_server
from labkit.postgres.private import PrivateServer, private_server

__all__ = [
    "Database",
    "PrivateServer",
    "Server",
    "Status",
    "open_server",
    "private_server",
    "shared_status",
    "stop_shared",
]
