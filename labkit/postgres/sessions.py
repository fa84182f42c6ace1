"""Our own sessions in a project's database: as the server's admin, and as the project's role.

A database can hold code: triggers, casts, functions that look like PostgreSQL's own. It runs with the rights
of whoever touches it, so the admin reads catalogues and holds locks, and all that concerns the project's
tables is done as the project's role.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL

from labkit.deadlines import scaled
from labkit.postgres.connection import ADMIN, options
from labkit.postgres.databases import Database

Session = psycopg.Connection[dict[str, Any]]

_NAME = "labkit-probe"
_open: dict[int, tuple[str, int]] = {}
"""Session (its id) → database and backend: the project's role has other sessions, which are its own."""


def as_admin(database: Database, lock_s: float) -> Session:
    """A session of the admin, in autocommit mode, which waits `lock_s` seconds (scaled) for a lock.

    psycopg.OperationalError if there can be none.
    """
    return _opened(database, database.admin_url, options(database.admin_url, ADMIN), lock_s)


def as_project(database: Database, lock_s: float) -> Session:
    """The same as the project's role, which may do there what the project itself may do, and nothing else."""
    return _opened(database, database.url, options(database.url), lock_s)


def _opened(database: Database, url: str, settings: str, lock_s: float) -> Session:
    session = psycopg.connect(
        url,
        autocommit=True,
        row_factory=dict_row,
        application_name=_NAME,
        connect_timeout=10,
        client_encoding="utf8",
        options=settings,
    )
    _open[id(session)] = database.name, session.info.backend_pid
    session.execute(SQL("SET lock_timeout = {}").format(f"{scaled(lock_s):.0f}s"))
    return session


def close(session: Session) -> None:
    """End a session; nothing happens if it has ended."""
    session.close()
    _open.pop(id(session), None)


def backends(database: Database) -> list[int]:
    """The backends of our own sessions there."""
    return [backend for name, backend in tuple(_open.values()) if name == database.name]
