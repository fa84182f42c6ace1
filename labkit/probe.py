"""What the database saw: rows, connections, who waits for whom; and the means to hold a lock or cut a line.

A probe looks at connections and holds locks as the server's admin. Whatever it reads from the project's
tables or writes there it does as the project's role, for they may hold code (see labkit.postgres.sessions).
What it holds it gives back at the end of a `with` block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString, Self

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from labkit import evidence
from labkit.deadlines import scaled, wait_until
from labkit.errors import LabError
from labkit.evidence import CheckFailed, expect
from labkit.postgres import Database, sessions
from labkit.postgres.sessions import Session

_LOCK_S = 5
"""How long a statement of ours waits for a lock before the check fails (scaled to the machine)."""
_HOLD = 7_305_808_870
"""The advisory lock that `commits_held` holds."""
_HOLD_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION labkit.hold() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared({_HOLD}); RETURN NULL; END $$
"""
_NOT_ABOUT_THE_ROW = {
    "08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX",
}  # fmt: skip
"""Classes of SQLSTATE that speak of the connection, of permissions, of missing tables, of the server."""

_OTHERS = """
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND usename <> CURRENT_USER
        AND pid <> ALL(%s)
"""
_PLACE = """
    SELECT nspname, relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE c.oid = pg_catalog.to_regclass('tasks')
"""


class Locked(CheckFailed):
    """Somebody holds a lock that a statement of ours waited for in vain."""

    def __init__(self) -> None:
        super().__init__(
            f"to get a lock on `tasks` within {scaled(_LOCK_S):.0f} s",
            "somebody else holds one: is a transaction left open?",
        )


@dataclass
class Probe:
    """Two sessions in the project's database, in autocommit mode: the admin's, and one of the project's role,
    which is opened when it is first wanted."""

    admin: Session
    database: Database
    _own: Session | None = field(default=None, repr=False)

    @classmethod
    def of(cls, database: Database) -> Self:
        """A probe of that database; close it when it has served."""
        return cls(_as_admin(database), database)

    def close(self) -> None:
        for session in (self.admin, self._own):
            if session is not None:
                sessions.close(session)

    @property
    def connection(self) -> Session:
        """The session of the project's role."""
        if self._own is None or self._own.closed:
            if self._own is not None:
                sessions.close(self._own)
            self._own = _as_project(self.database)
        return self._own

    def query(self, statement: LiteralString | Composed, *parameters: object) -> list[dict[str, Any]]:
        """The rows of a query, dicts by column name; fails the check if a table is missing or locked."""
        with _expecting_what_it_names():
            return self.connection.execute(statement, parameters or None).fetchall()

    def value(self, statement: LiteralString | Composed, *parameters: object) -> Any:
        """The first column of the only row of a query."""
        [row] = self.query(statement, *parameters)
        return next(iter(row.values()))

    def tasks(self) -> Identifier:
        """The table `tasks` by its full name; fails the check if there is none."""
        for row in self.query(_PLACE):
            return Identifier(row["nspname"], row["relname"])
        raise CheckFailed("a table `tasks` with the contract's columns", "there is none")

    def execute(self, statement: LiteralString | Composed, *parameters: object) -> None:
        """Run a statement in plain SQL, and record it as an action of the check."""
        with_values = psycopg.ClientCursor(self.connection).mogrify(statement, parameters or None)
        text = evidence.shorten(" ".join(with_values.split()), 150)
        evidence.did(f"psql: {text}", kind="psql")
        try:
            self.connection.execute(statement, parameters or None)
        except psycopg.Error as error:
            raise CheckFailed(f"the database to take: {text}", _first_line(error)) from None

    def row(self, task_id: str) -> dict[str, Any] | None:
        """The row of a task as the table has it, or None."""
        rows = self.query("SELECT * FROM tasks WHERE id::text = %s", str(task_id).lower())
        return rows[0] if rows else None

    def insert(self, **columns: object) -> str:
        """INSERT a task in plain SQL and return its id; fails the check if the table refuses it."""
        shown = ", ".join(f"{name} {_shown(value)}" for name, value in columns.items())
        expected = f"the table to take a row with {shown}"
        try:
            task_id = self._insert(**columns)
        except psycopg.Error as error:
            raise CheckFailed(expected, _first_line(error)) from None
        if task_id is None:
            raise CheckFailed(expected, "no error, but no row either")
        return task_id

    def _insert(self, **columns: object) -> str | None:
        """The new row's id; None if the INSERT was accepted and put nothing in."""
        statement = SQL("INSERT INTO tasks ({}) VALUES ({}) RETURNING id::text").format(
            SQL(", ").join(map(Identifier, columns)), SQL(", ").join([SQL("%s")] * len(columns))
        )
        evidence.did(f"psql: INSERT INTO tasks ({', '.join(columns)}) …", kind="insert")
        rows = self.query(statement, *columns.values())
        return str(rows[0]["id"]) if rows else None

    def count(self) -> int:
        """How many tasks the table has."""
        return int(self.value("SELECT count(*) FROM tasks"))

    def connections(self) -> int:
        """How many connections others have open to this database."""
        return self._others("SELECT count(*) AS n " + _OTHERS)[0]["n"]  # type: ignore[no-any-return]

    def waiting(self) -> int:
        """How many of them wait for a lock."""
        query: LiteralString = "SELECT count(*) AS n " + _OTHERS + " AND wait_event_type = 'Lock'"
        return self._others(query)[0]["n"]  # type: ignore[no-any-return]

    def held_up(self) -> int:
        """How many of them wait for a lock of ours; those who wait for one another do not count."""
        query: LiteralString = (
            "SELECT pg_catalog.pg_blocking_pids(pid) AS by " + _OTHERS + " AND wait_event_type = 'Lock'"
        )
        ours = set(sessions.backends(self.database))
        return sum(not ours.isdisjoint(row["by"]) for row in self._others(query))

    def _others(self, query: LiteralString) -> list[dict[str, Any]]:
        return self.admin.execute(query, [sessions.backends(self.database)]).fetchall()

    def client_ports(self) -> list[int]:
        """From which ports of theirs those connections come."""
        return [row["client_port"] for row in self._others("SELECT client_port " + _OTHERS)]

    def wait_for_waiting(self, least: int, within: float = 5.0) -> bool:
        """Whether at least that many wait for a lock, in time."""
        return bool(wait_until(lambda: self.waiting() >= least, within))

    def kill_connections(self) -> int:
        """End all connections of others, as a failing network or an administrator would; how many.

        When it returns, they are gone. Others may have been opened since.
        """
        evidence.did("end all connections to the database (pg_terminate_backend)")
        ended = [row["pid"] for row in self._others("SELECT pid, pg_terminate_backend(pid) " + _OTHERS)]
        alive = "SELECT FROM pg_stat_activity WHERE pid = ANY(%s)"
        if not wait_until(lambda: not self.admin.execute(alive, [ended]).fetchall(), within=10):
            raise LabError("PostgreSQL has not ended all connections within 10 s.", "Run the check again.")
        return len(ended)

    @contextmanager
    def locked_table(self) -> Iterator[None]:
        """Hold the table `tasks` under a lock that lets nobody read or write, for the length of the block."""
        lock = SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(self.tasks())
        evidence.did("lock the table: BEGIN; LOCK TABLE tasks")
        with self._holding(_as_admin, lock):
            yield
        evidence.did("give the lock back")

    @contextmanager
    def locked_row(self, task_id: str) -> Iterator[None]:
        """Hold one task's row FOR UPDATE for the length of the block."""
        evidence.did("lock the row: BEGIN; SELECT … FOR UPDATE")
        # as the project's role: a cast of an id may be the project's own
        with self._holding(
            _as_project, "SELECT 1 FROM tasks WHERE id::text = %s FOR UPDATE", str(task_id).lower()
        ):
            yield
        evidence.did("give the lock back")

    @contextmanager
    def schema_held(self) -> Iterator[None]:
        """Let nobody make, change or drop a table for the length of the block; they wait."""
        with self._holding(_as_admin, "LOCK TABLE pg_catalog.pg_class IN SHARE MODE"):
            yield

    @contextmanager
    def commits_held(self) -> Iterator[None]:
        """Let no INSERT into `tasks` commit for the length of the block.

        A deferred trigger, which runs as a transaction commits, waits there for a lock of ours.
        """
        table = self.tasks()
        self.make_our_schema()
        for statement in (
            SQL(_HOLD_FUNCTION),
            SQL(
                "CREATE CONSTRAINT TRIGGER labkit_hold AFTER INSERT ON {} DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION labkit.hold()"
            ).format(table),
        ):
            with _expecting_what_it_names():
                self.admin.execute(statement)
        try:
            with self._holding(_as_admin, "SELECT pg_advisory_xact_lock(%s)", _HOLD):
                evidence.did("hold back every commit that follows an INSERT INTO tasks")
                yield
            evidence.did("let the commits go on")
        finally:
            with _expecting_what_it_names():
                self.admin.execute(SQL("DROP TRIGGER IF EXISTS labkit_hold ON {}").format(table))

    def make_our_schema(self) -> None:
        """Have a schema `labkit` that belongs to us; fails the check if the project has one of that name."""
        self.admin.execute("CREATE SCHEMA IF NOT EXISTS labkit")
        query = "SELECT FROM pg_namespace WHERE nspname = 'labkit' AND nspowner = CURRENT_USER::regrole"
        expect(
            bool(self.admin.execute(query).fetchall()),
            "no schema `labkit` in the project: the checks keep their notes in one of that name",
            "it has one",
        )

    @contextmanager
    def _holding(
        self,
        opened: Callable[[Database], Session],
        statement: LiteralString | Composed,
        *parameters: object,
    ) -> Iterator[None]:
        holder = opened(self.database)
        try:
            with holder.transaction(force_rollback=True):
                with _expecting_what_it_names():
                    holder.execute(statement, parameters or None)
                yield
                with _expecting_what_it_names():  # who has ended this session has had the lock
                    holder.execute("SELECT 1")
        finally:
            sessions.close(holder)

    def refuses(self, what: str, **columns: object) -> None:
        """Fail the check unless the table keeps such a row out: by an error about the row, or silently."""
        try:
            task_id = self._insert(**columns)
        except psycopg.Error as error:
            about_the_row = error.sqlstate and error.sqlstate[:2] not in _NOT_ABOUT_THE_ROW
            expect(bool(about_the_row), f"the table to refuse {what} by a constraint", _first_line(error))
            return
        row = self.row(task_id) if task_id else None
        as_given = row is not None and all(row[name] == value for name, value in columns.items())
        expect(not as_given, f"the table to refuse {what}", "the INSERT was accepted")

    def plan(self, statement: LiteralString) -> list[str]:
        """The kinds of nodes in the plan of a statement, outermost first ("Limit", "Index Scan", …)."""
        [tree] = self.value("EXPLAIN (FORMAT JSON) " + statement)
        return list(_nodes(tree["Plan"]))


def _nodes(plan: Mapping[str, Any]) -> Iterator[str]:
    yield str(plan["Node Type"])
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _as_admin(database: Database) -> Session:
    try:
        return sessions.as_admin(database, _LOCK_S)
    except psycopg.OperationalError as error:
        if "not currently accepting connections" in str(error):
            raise CheckFailed("a database that is open", "its owner lets nobody in any more") from None
        raise


def _as_project(database: Database) -> Session:
    try:
        return sessions.as_project(database, _LOCK_S)
    except psycopg.OperationalError as error:
        raise CheckFailed("one more session of the role in DATABASE_URL", _refusal(error)) from None


@contextmanager
def _expecting_what_it_names() -> Iterator[None]:
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise CheckFailed("a table `tasks` with the contract's columns", _first_line(error)) from None
    except psycopg.errors.LockNotAvailable:
        raise Locked from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise CheckFailed(
            "the role in DATABASE_URL to see all rows of its tables", _first_line(error)
        ) from None
    except (psycopg.errors.AdminShutdown, psycopg.errors.QueryCanceled) as error:
        raise CheckFailed("the sessions of the checks to be left alone", _first_line(error)) from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _refusal(error: Exception) -> str:
    """Why the server has let nobody in, without the address that was tried."""
    return " ".join(str(error).rpartition("FATAL:")[2].split())


def _shown(value: object) -> str:
    """A value as a student would write it, its length counted without quotes."""
    return f"'{evidence.shorten(value, 40)}'" if isinstance(value, str) else evidence.shorten(repr(value), 40)
