"""A PostgreSQL for the checks: one that is given by URL, an embedded one, or a container."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "Database": "databases",
    "PrivateServer": "private",
    "Server": "databases",
    "Status": "embedded",
    "open_server": "opening",
    "private_server": "private",
    "shared_status": "embedded",
    "stop_shared": "embedded",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: the keeper, which starts beside every server, needs none of it, and importing
    # psycopg takes longer than starting a server.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
