"""A walk through a project's migrations, step by step up and down again, on a table with rows in it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import psycopg
from psycopg.sql import SQL

from labkit import rows, schema, services
from labkit.deadlines import scaled
from labkit.evidence import shorten
from labkit.postgres import Database
from labkit.probe import Locked, Probe
from labkit.project import Project, ProjectError
from labkit.rows import Rows
from labkit.schema import Schema
from labkit.services import Service

ROWS = 10_000
"""How many rows the table gets as soon as it is there."""
STEP_S = 20.0
"""How long a step may take (scaled to the machine)."""
_MORE_ROWS = 20
_MOST_STEPS = 100
_LOCK_S = 3
"""How long we wait, after a command has ended, for a lock that it should have given back."""

_LISTEN = """
    CREATE SCHEMA labkit;
    CREATE TABLE labkit.statements (number integer GENERATED ALWAYS AS IDENTITY, statement text);
    CREATE FUNCTION labkit.note() RETURNS event_trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        $$ BEGIN INSERT INTO labkit.statements (statement) VALUES (current_query()); END $$;
    CREATE EVENT TRIGGER labkit_note ON ddl_command_start EXECUTE FUNCTION labkit.note();
"""

Direction = Literal["up", "down"]
_COMMANDS: dict[Direction, str] = {"up": "migrate-one", "down": "rollback-one"}


@dataclass(frozen=True)
class Step:
    """One run of migrate-one or rollback-one that changed something, and the database after it.

    `trouble` says what went wrong with the command, in a few lines, or is empty. `refused` is PostgreSQL's
    word if it did not take `INSERT INTO tasks (title) VALUES ('…')` afterwards. `lost` says which rows are
    gone or have other values, or is empty; a null may become anything. `changed` are the tables besides
    `tasks` whose content is another than before.
    """

    direction: Direction
    number: int
    schema: Schema
    trouble: str
    refused: str = ""
    lost: str = ""
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
    said: list[str] = field(default_factory=list)
    """The last lines of the `migrate-one` that changed nothing any more."""
    statements: list[str] = field(default_factory=list)
    """The DDL of all steps up but the first, in order; empty where it cannot be had."""

    @property
    def steps(self) -> list[Step]:
        return [*self.up, *self.down]

    @property
    def records(self) -> set[str]:
        """The tables besides `tasks` that every step has changed: where the tool keeps the revision."""
        return set(frozenset.intersection(*(step.changed for step in self.steps))) if self.steps else set()

    def __str__(self) -> str:
        """What was done on the way."""
        up = f"from an empty database {len(self.up)} × migrate-one"
        table = any("table tasks" in step.schema for step in self.up)
        done = [up + (f", {ROWS:,} rows with nulls wherever one may be" if table else "")]
        done += [f"{len(self.down)} × rollback-one"] if self.down else []
        done += ["then migrate"] if self.again else []
        return ", ".join(done)

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
    found, listens = Walk(), False
    route = _Route(project, database, newest, settings or {})
    probe = Probe.of(database)
    probe.connection.execute(SQL("SET lock_timeout = {}").format(f"{scaled(_LOCK_S):.0f}s"))
    try:
        for number in range(1, _MOST_STEPS):
            step = _step(route, probe, "up", number)
            if step is None:
                found.said = list(route.heard)
                break
            found.up.append(step)
            if step.trouble:
                return found
            if number == 1:
                listens = _listen(probe)
        if found.up and listens:
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
    heard: list[str] = field(default_factory=list)
    """The last lines of the last command that came to an end."""


def _listen(probe: Probe) -> bool:
    """Note every statement that changes the schema from now on; False where that cannot be done."""
    try:
        probe.admin.execute(_LISTEN)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.DuplicateSchema):
        # an admin who is no superuser; a project that has taken the name
        return False
    return True


def _heard(probe: Probe) -> list[str]:
    """What was noted, each statement once; nothing is noted any more."""
    query = "SELECT statement, min(number) FROM labkit.statements GROUP BY 1 ORDER BY 2"
    rows = probe.admin.execute(query).fetchall()
    probe.admin.execute("DROP EVENT TRIGGER labkit_note; DROP SCHEMA labkit CASCADE")
    return [row["statement"] for row in rows]


def _run(route: _Route, process_type: str) -> str:
    """What went wrong with a command, in a few lines; empty if it exited with 0."""
    try:
        settings = {**route.settings, "DATABASE_URL": route.database.url}
        ended = services.run(route.project, process_type, settings, STEP_S)
    except ProjectError as error:
        return f"expected {error.expected}; {error.saw}"
    route.heard[:] = _last_words(ended, 3)
    return "" if ended.exit_code == 0 else told(ended)


def told(ended: Service) -> str:
    """How a command came to its end, and its last lines."""
    code = ended.exit_code or 0
    how = f"status {code}" if code >= 0 else f"it was ended by signal {-code} ({signal.strsignal(-code)})"
    return "\n".join([how, *_last_words(ended)])


def _last_words(ended: Service, most: int = 5) -> list[str]:
    return [shorten(line, 160) for line in ended.last_words(most)]


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
    lost, refused = "", ""
    if "tasks" in schema.tables(after.schema):
        lost = rows.lost(before.rows, after.rows)
        if not trouble:
            columns = schema.columns(after.schema, "tasks")
            new = columns.keys() - schema.columns(before.schema, "tasks").keys()
            count = _MORE_ROWS if before.rows else ROWS
            refused = rows.insert(probe, columns, count, columns if direction == "down" else new)
    elif direction == "down" and number < steps_up:
        lost = rows.lost(before.rows, {})  # the table is to go with the step that made it, and not before
    names = before.contents.keys() | after.contents.keys()
    changed = frozenset(name for name in names if before.contents.get(name) != after.contents.get(name))
    return Step(direction, number, after.schema, trouble, refused, lost, changed)


def _is_the_top(route: _Route, reached: Schema) -> bool:
    """Whether `migrate` makes of an empty database what the steps have reached; yes if it makes nothing, for
    then it says nothing about the top."""
    if not reached:
        return False
    newest = route.newest()
    return newest is not None and (newest == reached or "table tasks" not in newest)


def _state(probe: Probe) -> _State:
    now = schema.read(probe)
    query = SQL("SELECT md5(coalesce(json_agg(t)::text, '')) FROM {} t")
    contents = {
        table: str(probe.value(query.format(place)))
        for table, place in schema.places(probe).items()
        if table != "tasks"
    }
    return _State(now, contents, rows.read(probe, schema.columns(now, "tasks")))
