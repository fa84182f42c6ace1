"""A server that is given by its URL: checked for what the checks need before the first of them runs."""

from __future__ import annotations

import psycopg
from psycopg import errors

from labkit.errors import LabError, UsageError
from labkit.postgres import runs
from labkit.postgres.connection import CONNECT_PATIENCE_S, address, connect, first_line
from labkit.postgres.databases import Server, drop_own, sweep

OLDEST = 15


def open_given(url: str, source: str) -> Server:
    """The server at `url`, which `source` named; LabError when the checks cannot work there."""
    try:
        where = address(url)
    except psycopg.ProgrammingError as error:
        raise UsageError(
            f"{source} is not a valid PostgreSQL URL: {first_line(error)}.",
            "It looks like postgresql://user:password@host:5432/postgres; "
            "special characters in the password are percent-encoded.",
        ) from error
    try:
        with connect(url) as connection:
            version = connection.info.server_version // 10000
            row = connection.execute(
                "SELECT rolsuper OR (rolcreatedb AND rolcreaterole)"
                " FROM pg_roles WHERE rolname = CURRENT_USER"
            ).fetchone()
    except psycopg.Error as error:
        raise _unusable(where, source, error) from error
    if version < OLDEST:
        raise LabError(
            f"PostgreSQL at {where} is version {version}; the checks need {OLDEST} or newer.",
            "Use a newer server, or the embedded one: `--postgres embedded`.",
        )
    if row is None or not row[0]:
        raise LabError(
            f"The user of {source} may not create databases and roles on {where}.",
            'As an administrator there: ALTER ROLE "that user" CREATEDB CREATEROLE;',
        )
    server = Server("url", url, version)
    runs.register(server.key)
    sweep(server)
    return Server("url", url, version, release=lambda: drop_own(server))


def _unusable(where: str, source: str, error: psycopg.Error) -> LabError:
    said = str(error)
    if isinstance(error, errors.InvalidPassword) or "authentication failed" in said or "no password" in said:
        return LabError(
            f"PostgreSQL at {where} refuses the user or the password of {source}.",
            "Correct the URL and try again.",
        )
    if isinstance(error, errors.ConnectionTimeout):
        return LabError(
            f"PostgreSQL at {where} ({source}) did not answer within {CONNECT_PATIENCE_S} s.",
            "Is host and port right, and does a firewall stand between? Without a server of your own, "
            "use the embedded one: `--postgres embedded`.",
        )
    return LabError(
        f"PostgreSQL at {where} ({source}) cannot be used: {first_line(error)}.",
        "Start that server or correct the URL; or use the embedded one: `--postgres embedded`.",
    )
