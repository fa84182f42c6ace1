"""Connections as the admin of a server, and the URLs that lead there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from labkit.errors import LabError

CONNECT_PATIENCE_S = 5
_OURS = (
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c default_transaction_read_only=off"
    " -c default_transaction_isolation=read\\ committed -c row_security=off"
)
"""What sessions of ours begin with, whatever the owner of a database has made its default."""
ADMIN = "-c search_path=pg_catalog"
"""And those of the admin: nothing that a project has put into its database is meant by a bare name."""


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection as the admin, in autocommit mode. psycopg.Error if that fails."""
    return psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_PATIENCE_S,
        application_name="labkit",
        gssencmode="disable",
        client_encoding="utf8",
        options=options(url, ADMIN),
    )


def options(url: str, more: str = "") -> str:
    """The options of a session of ours at that URL, after its own."""
    return f"{conninfo_to_dict(url).get('options') or ''} {_OURS} {more}".strip()


@contextmanager
def admin(url: str, purpose: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the admin for one purpose; LabError naming it when the server refuses or fails."""
    try:
        with connect(url) as connection:
            yield connection
    except psycopg.Error as error:
        raise LabError(
            f"PostgreSQL at {address(url)} did not {purpose}: {first_line(error)}.",
            "Is the server up, and has its disk room? `lab down` stops the one that the checks keep.",
        ) from error


def first_line(error: Exception) -> str:
    """What an error says, as the end of a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def address(url: str) -> str:
    """Host and port: what tells servers apart, without a secret."""
    parts = conninfo_to_dict(url)
    return f"{parts.get('host') or parts.get('hostaddr') or 'localhost'}:{parts.get('port') or 5432}"


def url_of(admin_url: str, database: str, role: str | None = None, password: str | None = None) -> str:
    """`admin_url` with another database and, if given, another role."""
    parts = urlsplit(admin_url)
    replaced = {"dbname", *(() if role is None else ("user", "password"))}
    query = [
        (key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in replaced
    ]
    where = parts.netloc if role is None else f"{role}:{password}@{parts.netloc.rpartition('@')[2]}"
    options = f"?{urlencode(query, safe='/', quote_via=quote)}" if query else ""
    return f"postgresql://{where}/{database}{options}"
