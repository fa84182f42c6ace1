"""A walk through a project's migrations, step by step up and down again, on a table with rows in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import psycopg
from psycopg.sql import SQL, Composable, Composed, Identifier

from labkit import schema, services
from labkit.deadlines import scaled
from labkit.evidence import shorten
from labkit.postgres import Database
from labkit.probe import Locked, Probe
from labkit.project import Project, ProjectError
from labkit.schema import Schema

ROWS = 10_000
"""How many rows the table gets as soon as it is there."""
STEP_S = 20.0
"""How long a step may take (scaled to the machine)."""
_MORE_ROWS = 20
_MOST_STEPS = 25
_LOCK_S = 3
"""How long we wait, after a command has ended, for a lock that it should have given back."""

_KEPT = ("title", "description", "status", "type", "priority", "payload", "created_at")
"""The columns whose values no migration may change."""

Rows = dict[str, dict[str, str | None]]
"""Id → column → value."""

_LISTEN = """
    CREATE SCHEMA labkit;
    CREATE TABLE labkit.statements (number integer GENERATED ALWAYS AS IDENTITY, statement text);
    CREATE FUNCTION labkit.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN INSERT INTO labkit.statements (statement) VALUES (current_query()); END $$;
    CREATE EVENT TRIGGER labkit_note ON ddl_command_start EXECUTE FUNCTION labkit.note();
"""

Direction = Literal["up", "down"]
_COMMANDS: dict[Direction, str] = {"up": "migrate-one", "down": "rollback-one"}


@dataclass(frozen=True)
class Step:
    """One run of migrate-one or rollback-one that changed something, and the database after it.

    `trouble` says what went wrong with the command, in a few lines, or is empty. `refused` is PostgreSQL's
    word if it did not take `INSERT INTO tasks (title) VALUES ('…')` afterwards. `lost` counts the rows that
    are gone or have other values; a null may become anything. `changed` are the tables besides `tasks` whose
    content is another than before.
    """

    direction: Direction
    number: int
    schema: Schema
    trouble: str
    refused: str = ""
    lost: int = 0
    changed: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"step {self.number} {self.direction} (`{_COMMANDS[self.direction]}`)"

    def column(self, name: str) -> str:
        """The type of a column of `tasks`, with NOT NULL and DEFAULT; empty if there is no such column."""
        return schema.columns(self.schema, "tasks").get(name, "")


@dataclass
class Walk:
    """All steps up, all steps down, and what `migrate` made of the empty database afterwards."""

    up: list[Step] = field(default_factory=list)
    down: list[Step] = field(default_factory=list)
    bottom: Schema = field(default_factory=dict)
    again: Schema = field(default_factory=dict)
    again_trouble: str = ""
    """What went wrong with the last `migrate`, in a few lines."""
    statements: list[str] = field(default_factory=list)
    """The DDL of all steps up but the first, in order."""

    @property
    def steps(self) -> list[Step]:
        return [*self.up, *self.down]

    @property
    def records(self) -> set[str]:
        """The tables besides `tasks` that every step has changed: where the tool keeps the revision."""
        return set(frozenset.intersection(*(step.changed for step in self.steps))) if self.steps else set()

    def first_with(self, column: str) -> int:
        """The number of the first step up after which `tasks` has that column; 0 if there is none."""
        return next((step.number for step in self.up if step.column(column)), 0)


def walk(
    project: Project,
    database: Database,
    newest: Callable[[], Schema | None],
    settings: Mapping[str, str] | None = None,
) -> Walk:
    """Walk an empty database up, down, and up again; stops at the first step whose command went wrong.

    `newest` gives the schema that `migrate` makes of an empty database, None if it fails: where the top is,
    should a step fail. `settings` are variables for the project besides DATABASE_URL.
    """
    found = Walk()
    route = _Route(project, database, newest, settings or {})
    probe = Probe.of(database)
    probe.connection.execute(SQL("SET lock_timeout = {}").format(f"{scaled(_LOCK_S):.0f}s"))
    try:
        for number in range(1, _MOST_STEPS):
            step = _step(route, probe, "up", number)
            if step is None:
                break
            found.up.append(step)
            if step.trouble:
                return found
            if number == 1:
                probe.connection.execute(_LISTEN)
        found.statements = _heard(probe)
        for number in range(1, len(found.up) + 1):
            step = _step(route, probe, "down", number, steps_up=len(found.up))
            if step is None:
                break
            found.down.append(step)
            if step.trouble:
                return found
        found.bottom = schema.read(probe)
        found.again_trouble = _run(route, "migrate")
        found.again = schema.read(probe)
        return found
    finally:
        probe.close()


@dataclass(frozen=True)
class _Route:
    project: Project
    database: Database
    newest: Callable[[], Schema | None]
    settings: Mapping[str, str]


def _heard(probe: Probe) -> list[str]:
    """The statements of a database that listens, which it stops."""
    rows = probe.query("SELECT statement, min(number) FROM labkit.statements GROUP BY 1 ORDER BY 2")
    probe.connection.execute("DROP EVENT TRIGGER labkit_note; DROP SCHEMA labkit CASCADE")
    return [row["statement"] for row in rows]


def _run(route: _Route, process_type: str) -> str:
    """What went wrong with a command, in a few lines; empty if it exited with 0."""
    try:
        settings = {**route.settings, "DATABASE_URL": route.database.url}
        ended = services.run(route.project, process_type, settings, STEP_S)
    except ProjectError as error:
        return f"{error.saw} (expected {error.expected})"
    if ended.exit_code == 0:
        return ""
    return "\n".join([f"status {ended.exit_code}", *(shorten(line, 160) for line in ended.log(5))])


def made_by_the_tool(
    project: Project, empty: Database, settings: Mapping[str, str] | None = None
) -> set[str]:
    """The tables that `rollback-one` makes in an empty database: no revision has, so they are the tool's."""
    _run(_Route(project, empty, lambda: None, settings or {}), _COMMANDS["down"])
    probe = Probe.of(empty)
    try:
        return schema.tables(schema.read(probe))
    finally:
        probe.close()


@dataclass(frozen=True)
class _State:
    """A database between two commands; `contents` has a fingerprint of every table but `tasks`."""

    schema: Schema
    contents: Mapping[str, str]
    rows: Rows


def _step(route: _Route, probe: Probe, direction: Direction, number: int, steps_up: int = 0) -> Step | None:
    """Go one step; None at the top and at the bottom, where a command changes nothing and may fail."""
    before = _state(probe)
    trouble = _run(route, _COMMANDS[direction])
    try:
        after = _state(probe)
    except Locked:
        left = "it has ended, but a lock on a table is still held: a session of its own is still open"
        return Step(direction, number, before.schema, "\n".join(filter(None, [trouble, left])))
    if after == before:
        if not trouble:
            return None
        if direction == "up" and _is_the_top(route, after.schema):
            return None
    lost, refused = 0, ""
    if "tasks" in schema.tables(after.schema):
        lost = _lost(before.rows, after.rows)
        if not trouble:
            new = schema.columns(after.schema, "tasks").keys() - schema.columns(before.schema, "tasks").keys()
            rows = _MORE_ROWS if before.rows else ROWS
            refused = _insert(probe, after.schema, rows, None if direction == "down" else new)
    elif direction == "down" and number < steps_up:
        lost = len(before.rows)  # the table is to go with the step that made it, and not before
    names = before.contents.keys() | after.contents.keys()
    changed = frozenset(name for name in names if before.contents.get(name) != after.contents.get(name))
    return Step(direction, number, after.schema, trouble, refused, lost, changed)


def _is_the_top(route: _Route, reached: Schema) -> bool:
    """Whether `migrate` makes of an empty database what the steps have reached; yes if it makes nothing, for
    then it says nothing about the top."""
    newest = route.newest()
    return bool(reached) and newest is not None and (newest == reached or "table tasks" not in newest)


def _state(probe: Probe) -> _State:
    now = schema.read(probe)
    query = SQL("SELECT md5(coalesce(json_agg(t)::text, '')) FROM {} t")
    contents = {
        table: str(probe.value(query.format(place)))
        for table, place in schema.places(probe).items()
        if table != "tasks"
    }
    return _State(now, contents, _rows(probe, schema.columns(now, "tasks")))


def _rows(probe: Probe, columns: Schema) -> Rows:
    """What no migration may change about the rows; empty where there is no table."""
    if not columns:
        return {}
    shown = [SQL("id::text AS id"), *(_as_text(name, columns[name]) for name in _KEPT if name in columns)]
    rows = probe.query(SQL("SELECT {} FROM tasks").format(SQL(", ").join(shown)))
    return {row.pop("id"): row for row in rows}


def _as_text(name: str, definition: str) -> Composable:
    """A column as text; a time looks the same with and without a time zone of its own."""
    text = "{0}::timestamptz::text AS {0}" if definition.startswith("timestamp") else "{0}::text AS {0}"
    return SQL(text).format(Identifier(name))


def _lost(before: Rows, after: Rows) -> int:
    return sum(
        task_id not in after
        or any(
            value is not None and after[task_id].get(name, value) != value for name, value in values.items()
        )
        for task_id, values in before.items()
    )


def _insert(probe: Probe, now: Schema, rows: int, new: Collection[str] | None) -> str:
    """Insert a task by its title alone, one with a priority of its own, and `rows` more with a null wherever
    one is allowed; PostgreSQL's word if it refuses a title alone.

    On the way up, a column that was there before (is not in `new`) and has a default gets no nulls: whoever
    has filled it and given it a default may rely on that.
    """
    columns = schema.columns(now, "tasks")
    nullable = [
        name
        for name, definition in columns.items()
        if " NOT NULL" not in definition
        and " GENERATED" not in definition
        and name != "title"
        and (new is None or name in new or " DEFAULT " not in definition)
    ]
    try:
        probe.connection.execute("INSERT INTO tasks (title) VALUES ('a title and nothing else')")
        if "priority" in columns:
            probe.connection.execute("INSERT INTO tasks (title, priority) VALUES ('with a priority', 7)")
        try:
            probe.connection.execute(_copies(nullable), (rows,))
        except (psycopg.IntegrityError, psycopg.errors.RaiseException):
            # nulls are kept out by something else than NOT NULL
            probe.connection.execute(_copies([]), (rows,))
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return ""


def _copies(nullable: Sequence[str]) -> Composed:
    """An INSERT of a number of rows with nulls in these columns."""
    columns = [Identifier("title"), *map(Identifier, nullable)]
    values = [SQL("'row ' || n"), *(SQL("NULL") for _ in nullable)]
    return SQL("INSERT INTO tasks ({}) SELECT {} FROM generate_series(1, %s) n").format(
        SQL(", ").join(columns), SQL(", ").join(values)
    )
