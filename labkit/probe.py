"""What the database saw: rows, connections, who waits for whom; and the means to hold a lock or cut a line.

A probe is the server's admin in the project's database. It never writes into the project's tables except
through `execute`, and what it holds it gives back at the end of a `with` block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString, Self

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed, Identifier

from labkit import evidence
from labkit.deadlines import wait_until
from labkit.evidence import CheckFailed, expect
from labkit.postgres import Database

_OTHERS = """
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <>
    'labkit-probe'
"""


@dataclass(frozen=True)
class Probe:
    """A connection of the admin to the project's database, in autocommit mode."""

    connection: psycopg.Connection[dict[str, Any]]
    database: Database

    @classmethod
    def of(cls, database: Database) -> Self:
        """A probe of that database; close it when it has served."""
        return cls(_connect(database), database)

    def close(self) -> None:
        self.connection.close()

    def query(self, statement: LiteralString | Composed, *parameters: object) -> list[dict[str, Any]]:
        """The rows of a query, each a dict by column name; fails the check if a table is missing."""
        with _expecting_what_it_names():
            return self.connection.execute(statement, parameters or None).fetchall()

    def value(self, statement: LiteralString | Composed, *parameters: object) -> Any:
        """The first column of the only row of a query."""
        [row] = self.query(statement, *parameters)
        return next(iter(row.values()))

    def execute(self, statement: LiteralString | Composed, *parameters: object) -> None:
        """Run a statement in plain SQL, and record it as an action of the check."""
        text = evidence.shorten(" ".join(_text(statement).split()), 150)
        evidence.did(f"psql: {text}", kind="psql")
        try:
            self.connection.execute(statement, parameters or None)
        except psycopg.Error as error:
            raise CheckFailed(f"the database to take: {text}", _first_line(error)) from None

    def row(self, task_id: str) -> dict[str, Any] | None:
        """The row of a task as the table has it, or None."""
        rows = self.query("SELECT * FROM tasks WHERE id::text = %s", task_id.lower())
        return rows[0] if rows else None

    def insert(self, **columns: object) -> str:
        """INSERT a task in plain SQL and return its id; fails the check if the table refuses it."""
        try:
            return self._insert(**columns)
        except psycopg.Error as error:
            shown = ", ".join(
                f"{name} {evidence.shorten(repr(value), 40)}" for name, value in columns.items()
            )
            raise CheckFailed(f"the table to take a row with {shown}", _first_line(error)) from None

    def _insert(self, **columns: object) -> str:
        statement = SQL("INSERT INTO tasks ({}) VALUES ({}) RETURNING id::text").format(
            SQL(", ").join(map(Identifier, columns)), SQL(", ").join([SQL("%s")] * len(columns))
        )
        evidence.did(f"psql: INSERT INTO tasks ({', '.join(columns)}) …", kind="insert")
        return str(self.value(statement, *columns.values()))

    def count(self) -> int:
        """How many tasks the table has."""
        return int(self.value("SELECT count(*) FROM tasks"))

    def connections(self) -> int:
        """How many connections others have open to this database."""
        return int(self.value("SELECT count(*) " + _OTHERS))

    def waiting(self) -> int:
        """How many of them wait for a lock."""
        return int(self.value("SELECT count(*) " + _OTHERS + " AND wait_event_type = 'Lock'"))

    def wait_for_waiting(self, least: int, within: float = 5.0) -> bool:
        """Whether at least that many wait for a lock, in time."""
        return bool(wait_until(lambda: self.waiting() >= least, within))

    def kill_connections(self) -> int:
        """End all connections of others, as a failing network or an administrator would; how many."""
        evidence.did("end all connections to the database (pg_terminate_backend)")
        return len(self.query("SELECT pg_terminate_backend(pid) " + _OTHERS))

    @contextmanager
    def locked_table(self) -> Iterator[None]:
        """Hold the table `tasks` under a lock that lets nobody read or write, for the length of the block."""
        evidence.did("lock the table: BEGIN; LOCK TABLE tasks")
        with self._holding("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE"):
            yield
        evidence.did("give the lock back")

    @contextmanager
    def locked_row(self, task_id: str) -> Iterator[None]:
        """Hold one task's row FOR UPDATE for the length of the block."""
        evidence.did("lock the row: BEGIN; SELECT … FOR UPDATE")
        with self._holding("SELECT 1 FROM tasks WHERE id::text = %s FOR UPDATE", task_id.lower()):
            yield
        evidence.did("give the lock back")

    @contextmanager
    def _holding(self, statement: LiteralString, *parameters: object) -> Iterator[None]:
        with _connect(self.database) as holder:
            try:
                with holder.transaction(force_rollback=True):
                    holder.execute("SET LOCAL lock_timeout = '5s'")
                    try:
                        with _expecting_what_it_names():
                            holder.execute(statement, parameters or None)
                    except psycopg.errors.LockNotAvailable:
                        saw = "somebody else holds one: is a transaction left open?"
                        raise CheckFailed("to get a lock on `tasks` within 5 s", saw) from None
                    yield
            finally:
                holder.close()

    def refuses(self, what: str, **columns: object) -> None:
        """Fail the check unless the table itself refuses such a row."""
        try:
            self._insert(**columns)
        except (psycopg.errors.IntegrityError, psycopg.errors.DataError):
            return
        except psycopg.Error as error:
            expect(False, f"the table to refuse {what} by a constraint", _first_line(error))
        expect(False, f"the table to refuse {what}", "the INSERT was accepted")

    def plan(self, statement: LiteralString) -> list[str]:
        """The kinds of nodes in the plan of a statement, outermost first ("Limit", "Index Scan", …)."""
        [tree] = self.value("EXPLAIN (FORMAT JSON) " + statement)
        return list(_nodes(tree["Plan"]))


def _nodes(plan: Mapping[str, Any]) -> Iterator[str]:
    yield str(plan["Node Type"])
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _connect(database: Database) -> psycopg.Connection[dict[str, Any]]:
    return psycopg.connect(
        database.admin_url,
        autocommit=True,
        row_factory=dict_row,
        application_name="labkit-probe",
        connect_timeout=10,
    )


@contextmanager
def _expecting_what_it_names() -> Iterator[None]:
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise CheckFailed("a table `tasks` with the contract's columns", _first_line(error)) from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _text(statement: LiteralString | Composed) -> str:
    return statement if isinstance(statement, str) else statement.as_string()
