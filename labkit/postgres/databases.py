"""Databases for the checks: created with a role that owns nothing else, cloned, dropped, swept."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import errors
from psycopg.sql import SQL, Composed, Identifier
from psycopg.sql import Literal as Value

from labkit.errors import LabError
from labkit.postgres import runs
from labkit.postgres.connection import address, admin, connect, url_of
from labkit.postgres.state import derived_password, state_folder

Kind = Literal["embedded", "docker", "url"]
_MOST_CONNECTIONS = 150
"""How many one role can have open; others want to use the server, too (it takes 200 where it is ours)."""
_SEAL = "template of "
"""Starts the comment on a sealed template."""


@dataclass(frozen=True)
class Database:
    """A database of a run's own.

    `url` is for the project under test: its role owns the database and may do nothing else. `admin_url` is
    the same database as the server's admin. `socket_url` is `url` by unix socket, None where there is none.
    """

    name: str
    role: str
    url: str = field(repr=False)
    admin_url: str = field(repr=False)
    socket_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server on which databases can be created; `version` is its major version."""

    kind: Kind
    admin_url: str = field(repr=False)
    version: int
    sockets: Path | None = None
    """The folder of its unix socket, on its default port."""
    release: Callable[[], object] = field(default=lambda: None, repr=False, compare=False)

    @property
    def key(self) -> str:
        """What tells this server from others in the register of runs."""
        return address(self.admin_url) if self.kind == "url" else self.kind

    def create_database(self, label: str = "check", template: str | None = None) -> Database:
        """A new database, empty or a clone of the database named `template`.

        A new role owns a new database. Clones share the role of their template, which owns what is inside:
        giving that to another role would lose default privileges and cost another connection. The first clone
        seals the template (see `seal`), unless that has been done.
        """
        name = f"lab_{runs.token()}_{_plain(label)}_{secrets.token_hex(6)}"
        runs.register(self.key)
        with admin(self.admin_url, f"create the database {name}") as connection:
            if template is None:
                role = name
                self._create_role(connection, role)
            else:
                role = _seal(connection, template)
            self._create(connection, name, role, template or "template0")
            _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
        return self._describe(name, role)

    def seal(self, database: Database) -> None:
        """Make a database a template: it belongs to the admin from now on, and its role can connect to its
        clones only. Whoever is connected to it is cut off.
        """
        with admin(self.admin_url, f"seal the database {database.name}") as connection:
            _seal(connection, database.name)

    def drop_database(self, database: Database) -> None:
        """Drop the database with everybody in it, and its role unless other clones still use it."""
        with admin(self.admin_url, f"drop the database {database.name}") as connection:
            _drop(connection, [database.name], [database.role])

    def keep_database(self, name: str) -> Database:
        """The database `name`, made the first time, with a role of that name; it stays until it is dropped.

        For those who want to find their rows again tomorrow, as far as the embedded server promises that.
        """
        with admin(self.admin_url, f"create the database {name}") as connection:
            query = "SELECT datname FROM pg_database WHERE datname = %s"
            if not _names(connection, query, name):
                if not _names(connection, "SELECT rolname FROM pg_roles WHERE rolname = %s", name):
                    self._create_role(connection, name)
                self._create(connection, name, name, "template0")
        return self._describe(name, name)

    @contextmanager
    def database(self, label: str = "check", template: str | None = None) -> Iterator[Database]:
        """A new database (see `create_database`) for the length of a `with` block."""
        database = self.create_database(label, template)
        try:
            yield database
        finally:
            with suppress(LabError):  # the server may be gone; what is left is swept when it is next used
                self.drop_database(database)

    def close(self) -> None:
        """Release what this process holds: a container is stopped; the kept embedded server goes on."""
        self.release()

    def _create_role(self, connection: psycopg.Connection[Any], role: str) -> None:
        statement = (
            "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
            " CONNECTION LIMIT {} PASSWORD {}"
        )
        connection.execute(
            SQL(statement).format(Identifier(role), Value(_MOST_CONNECTIONS), Value(self._password(role)))
        )
        if not _is_superuser(connection):  # may create a database for a role only as its member
            _run(connection, "GRANT {} TO CURRENT_USER", role)

    def _create(self, connection: psycopg.Connection[Any], name: str, role: str, template: str) -> None:
        statement = SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} ENCODING 'UTF8'").format(
            Identifier(name), Identifier(role), Identifier(template)
        )
        if self.kind != "url":
            # Measured with fsync off: 7 to 11 ms, against 15 to 40 ms through the log. A server with fsync on
            # would have to write out everything that it holds, for everybody, twice.
            statement += SQL(" STRATEGY FILE_COPY")
        try:
            connection.execute(statement)
        except errors.ObjectInUse:
            _disconnect(connection, template)
            connection.execute(statement)

    def _password(self, role: str) -> str:
        return derived_password(state_folder(), role)

    def _describe(self, name: str, role: str) -> Database:
        password = self._password(role)
        by_socket = None
        if self.sockets is not None:
            by_socket = f"postgresql://{role}:{password}@/{name}?host={quote(str(self.sockets))}"
        return Database(
            name=name,
            role=role,
            url=url_of(self.admin_url, name, role, password),
            admin_url=url_of(self.admin_url, name),
            socket_url=by_socket,
        )


def sweep(server: Server) -> int:
    """Drop what dead runs of this user on this machine left on `server`; how many databases that was."""
    dropped = 0
    with runs.dead_runs(server.key) as dead:
        if dead:
            with admin(server.admin_url, "drop the databases of runs that have ended") as connection:
                for run in dead:
                    dropped += _drop_run(connection, run)
    return dropped


def drop_own(server: Server) -> int:
    """Drop what this run has left on `server`."""
    with admin(server.admin_url, "drop the databases of this run") as connection:
        return _drop_run(connection, runs.token())


def clients(url: str) -> int:
    """How many clients other than this one are connected to the server."""
    with connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchone()
    return int(row[0]) if row else 0


def count_databases(url: str) -> int:
    """How many databases of runs there are on the server."""
    with connect(url) as connection:
        return len(_names(connection, "SELECT datname FROM pg_database WHERE datname LIKE %s", r"lab\_%"))


def _drop_run(connection: psycopg.Connection[Any], run: str) -> int:
    pattern = f"lab_{run}_%".replace("_", r"\_")
    # A run can have come to the same server as several admins: each clears up its own.
    databases = _names(
        connection,
        "SELECT datname FROM pg_database WHERE datname LIKE %s AND pg_has_role(datdba, 'USAGE')",
        pattern,
    )
    roles = _names(
        connection,
        "SELECT rolname FROM pg_roles WHERE rolname LIKE %s AND pg_has_role(oid, 'MEMBER')",
        pattern,
    )
    _drop(connection, databases, roles)
    return len(databases)


def _drop(connection: psycopg.Connection[Any], databases: list[str], roles: list[str]) -> None:
    for database in databases:
        try:
            _run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)
        except errors.WrongObjectType:  # its owner has made it a template, which nobody can drop
            _run(connection, "ALTER DATABASE {} IS_TEMPLATE false", database)
            _run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)
    for role in roles:
        if _has_template(connection, role):
            continue  # more clones may come
        try:
            _run(connection, "DROP ROLE IF EXISTS {}", role)
        except errors.DependentObjectsStillExist:
            continue  # other clones live; whoever drops the last one drops the role


def _has_template(connection: psycopg.Connection[Any], role: str) -> bool:
    query = "SELECT FROM pg_database WHERE shobj_description(oid, 'pg_database') = %s"
    return connection.execute(query, [_SEAL + role]).fetchone() is not None


def _seal(connection: psycopg.Connection[Any], template: str) -> str:
    """Make `template` fit to be cloned, if that has not been done; the role that owns what is inside."""
    if (role := _sealed(connection, template)) is not None:
        return role
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [template])
        if (role := _sealed(connection, template)) is None:  # nobody was faster
            role = _owner(connection, template)[0]
            note = SQL("COMMENT ON DATABASE {} IS {}").format(Identifier(template), Value(_SEAL + role))
            connection.execute(note)
            _run(connection, "ALTER DATABASE {} OWNER TO CURRENT_USER", template)
            _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", template)
    _disconnect(connection, template)
    return role


def _sealed(connection: psycopg.Connection[Any], template: str) -> str | None:
    """The role that a sealed template's content belongs to; None if it is not sealed."""
    owner, is_ours, comment = _owner(connection, template)
    if not is_ours:
        return None  # a comment by its owner says nothing
    if not comment.startswith(_SEAL):
        raise LabError(
            f"The database {template} cannot be cloned: it belongs to {owner}, not to a role of the checks.",
            "Clone one that create_database() made.",
        )
    return comment.removeprefix(_SEAL)


def _owner(connection: psycopg.Connection[Any], database: str) -> tuple[str, bool, str]:
    """The owner of a database, whether that is ourselves, and the comment on it."""
    row = connection.execute(
        "SELECT pg_get_userbyid(datdba), pg_get_userbyid(datdba) = CURRENT_USER,"
        " coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = %s",
        [database],
    ).fetchone()
    if row is None:
        raise LabError(f"The database {database}, of which a clone is wanted, does not exist (any more).")
    return str(row[0]), bool(row[1]), str(row[2])


def _disconnect(connection: psycopg.Connection[Any], database: str) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
        " WHERE datname = %s AND pid <> pg_backend_pid()",
        [database],
    )


def _names(connection: psycopg.Connection[Any], query: LiteralString, pattern: str) -> list[str]:
    return [str(name) for (name,) in connection.execute(query, [pattern]).fetchall()]


def _run(connection: psycopg.Connection[Any], statement: LiteralString, name: str) -> None:
    composed: Composed = SQL(statement).format(Identifier(name))
    connection.execute(composed)


def _is_superuser(connection: psycopg.Connection[Any]) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


def _plain(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower())[:20].strip("_") or "check"
