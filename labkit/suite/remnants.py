"""What a run of tests leaves in its database, and whether it was there at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from labkit.deadlines import watch
from labkit.evidence import CheckFailed
from labkit.postgres import Database
from labkit.postgres.connection import admin, first_line, options

Table = tuple[str, str]
"""Schema and name."""

_GOODBYE_S = 2.0
"""How long sessions of tests that have ended may take to end themselves (scaled to the machine)."""


@dataclass(frozen=True)
class Remnants:
    """How many rows each table holds, and how many connections others have made so far."""

    rows: Mapping[Table, int]
    sessions: int
    written: int
    """How many rows the tests have inserted into tables named `tasks`, kept or not."""
    tables: frozenset[int] = frozenset()
    """The numbers in the catalogue of the tables named `tasks`: one that is made anew has another."""

    def reached(self, later: Remnants) -> bool:
        """Whether tests have stored tasks. If they took their tables along, or make them anew (a `later` run
        shows it), nothing tells of the rows that were in them: that the tests came must do."""
        kept = bool(self.tables) and self.tables == later.tables
        return self.written > 0 or (not kept and self.sessions > 0)

    def more_than(self, before: Remnants) -> list[str]:
        """A sentence for each table with tasks in it, for each that has grown since, and each that is new."""
        told = []
        for (schema, name), rows in self.rows.items():
            shown = name if schema == "public" else f"{schema}.{name}"
            if name == "tasks" and rows:
                told.append(f"{shown}: {_rows(rows)} left behind")
            elif (schema, name) not in before.rows:
                told.append(f"{shown}: a table that the first run had not made")
            elif rows > (earlier := before.rows[schema, name]):
                told.append(f"{shown}: {_rows(rows)} after the second run, {earlier} after the first")
        return told


def inspect(database: Database) -> Remnants:
    """Look at the database: at the rows as the role that they belong to, at the statistics as the admin.

    CheckFailed if that role cannot count them.
    """
    with admin(database.admin_url, "look at what tests have left behind") as connection:
        watch(lambda: _nobody_else(connection), _GOODBYE_S)
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        connection.execute("SELECT pg_stat_clear_snapshot()")
        seen = connection.execute(
            "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        written = connection.execute(
            "SELECT COALESCE(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE relname = 'tasks'"
        ).fetchone()
        numbers = connection.execute(
            "SELECT oid FROM pg_class WHERE relname = 'tasks' AND relkind IN ('r', 'p')"
        ).fetchall()
    rows = _counted(database, tables) if tables else {}
    return Remnants(
        rows,
        int(seen[0]) - 1 if seen else 0,
        int(written[0]) if written else 0,
        frozenset(int(number) for (number,) in numbers),
    )


def _nobody_else(connection: psycopg.Connection[Any]) -> bool:
    """Whether all other sessions have ended: what one has done is counted when it ends, and its temporary
    tables go with it."""
    other = connection.execute(
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL LIMIT 1"
    ).fetchone()
    return other is None


def _counted(database: Database, tables: Sequence[Table]) -> dict[Table, int]:
    """How many rows each of these tables holds."""
    rows = {}
    with _owner(database, "count") as owner:
        for table in tables:
            counted = owner.execute(SQL("SELECT count(*) FROM {}").format(Identifier(*table))).fetchone()
            rows[table] = int(counted[0]) if counted else 0
    return rows


def clear(database: Database) -> None:
    """Put out whoever is still connected, and remove the tasks: the next run finds what the first found.

    CheckFailed if the role that they belong to cannot remove them.
    """
    with admin(database.admin_url, "clear up after tests") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        tables = connection.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'tasks'").fetchall()
    if not tables:
        return
    with _owner(database, "remove") as owner:  # TRUNCATE may run code of the project's own
        for (schema,) in tables:
            table = Identifier(schema, "tasks")
            row = owner.execute(SQL("SELECT EXISTS (SELECT FROM {})").format(table)).fetchone()
            if row and row[0]:
                owner.execute(SQL("TRUNCATE {} CASCADE").format(table))


@contextmanager
def _owner(database: Database, purpose: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """A session of the tests' own role; CheckFailed if what is wanted of it goes wrong."""
    try:
        with psycopg.connect(database.url, autocommit=True, options=options(database.url)) as owner:
            yield owner
    except psycopg.Error as error:
        raise CheckFailed(f"the role of the tests to {purpose} what they left", first_line(error)) from None


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
