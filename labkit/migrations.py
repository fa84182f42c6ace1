"""A walk through a project's migrations, step by step up and down again, on a table with rows in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg
from psycopg.sql import SQL, Identifier

from labkit import schema, services
from labkit.evidence import shorten
from labkit.postgres import Database
from labkit.probe import Probe
from labkit.project import Project, ProjectError
from labkit.schema import Schema

ROWS = 10_000
"""How many rows the table gets as soon as it is there."""
STEP_S = 20.0
"""How long a step may take (scaled to the machine)."""
_MORE_ROWS = 20
_MOST_STEPS = 25

Direction = Literal["up", "down"]
_COMMANDS: dict[Direction, str] = {"up": "migrate-one", "down": "rollback-one"}


@dataclass(frozen=True)
class Step:
    """One run of migrate-one or rollback-one that changed something, and the database after it.

    `trouble` says what went wrong with the command, in a few lines, or is empty. `refused` is PostgreSQL's
    word if it did not take `INSERT INTO tasks (title) VALUES ('…')` afterwards. `lost` counts the rows that
    are gone or have another id, title, description, status or type.
    """

    direction: Direction
    number: int
    schema: Schema
    trouble: str
    refused: str
    lost: int

    def __str__(self) -> str:
        return f"step {self.number} {self.direction} (`{_COMMANDS[self.direction]}`)"

    def column(self, name: str) -> str:
        """The type of a column of `tasks`, with NOT NULL and DEFAULT; empty if there is no such column."""
        return self.schema.get(f"column tasks.{name}", "")


@dataclass
class Walk:
    """All steps up, all steps down, and what `migrate` made of the empty database afterwards."""

    up: list[Step] = field(default_factory=list)
    down: list[Step] = field(default_factory=list)
    bottom: Schema = field(default_factory=dict)
    again: Schema = field(default_factory=dict)
    again_trouble: str = ""
    """What went wrong with the last `migrate`, in a few lines."""

    @property
    def steps(self) -> list[Step]:
        return [*self.up, *self.down]

    def first_with(self, column: str) -> int:
        """The number of the first step up after which `tasks` has that column; 0 if there is none."""
        return next((step.number for step in self.up if step.column(column)), 0)


def walk(
    project: Project, database: Database, spare: Database, settings: Mapping[str, str] | None = None
) -> Walk:
    """Walk an empty database up, down, and up again; stops at the first step whose command went wrong.

    `spare` is another empty one, on which `migrate` shows where the top is, should a step fail. `settings`
    are variables for the project besides DATABASE_URL.
    """
    found = Walk()
    route = _Route(project, database, spare, settings or {})
    probe = Probe.of(database)
    try:
        for number in range(1, _MOST_STEPS):
            step = _step(route, probe, "up", number)
            if step is None:
                break
            found.up.append(step)
            if step.trouble:
                return found
        for number in range(1, _MOST_STEPS):
            step = _step(route, probe, "down", number, steps_up=len(found.up))
            if step is None:
                break
            found.down.append(step)
            if step.trouble:
                return found
        found.bottom = schema.read(probe)
        found.again_trouble = _run(route, "migrate", database)
        found.again = schema.read(probe)
        return found
    finally:
        probe.close()


@dataclass(frozen=True)
class _Route:
    project: Project
    database: Database
    spare: Database
    settings: Mapping[str, str]


def _run(route: _Route, process_type: str, database: Database) -> str:
    """What went wrong with a command, in a few lines; empty if it exited with 0."""
    try:
        ended = services.run(
            route.project, process_type, {**route.settings, "DATABASE_URL": database.url}, STEP_S
        )
    except ProjectError as error:
        return f"{error.saw} (expected {error.expected})"
    if ended.exit_code == 0:
        return ""
    return "\n".join([f"status {ended.exit_code}", *(shorten(line, 160) for line in ended.log(5))])


def _step(route: _Route, probe: Probe, direction: Direction, number: int, steps_up: int = 0) -> Step | None:
    """Go one step; None at the top and at the bottom, where a command changes nothing and may fail."""
    before, rows_before = _state(probe), _rows(probe)
    trouble = _run(route, _COMMANDS[direction], route.database)
    after, rows_after = _state(probe), _rows(probe)
    if after == before and rows_after == rows_before:
        if not trouble:
            return None
        if direction == "down" and number > steps_up:
            return None
        if direction == "up" and _is_the_top(route, after[0]):
            return None
    lost, refused = 0, ""
    if "tasks" in schema.tables(after[0]):
        lost = len(rows_before.items() - rows_after.items())
        if not trouble:
            refused = _insert(probe, after[0], _MORE_ROWS if rows_before else ROWS)
    elif direction == "down" and number < steps_up:
        lost = len(rows_before)  # the table is to go with the step that made it, and not before
    return Step(direction, number, after[0], trouble, refused, lost)


def _is_the_top(route: _Route, reached: Schema) -> bool:
    """Whether `migrate` makes of an empty database what the steps have reached."""
    if not reached or _run(route, "migrate", route.spare):
        return False
    probe = Probe.of(route.spare)
    try:
        return schema.read(probe) == reached
    finally:
        probe.close()


def _state(probe: Probe) -> tuple[Schema, dict[str, str]]:
    """The schema, and the content of every table but `tasks` (of which one is the bookkeeping)."""
    now = schema.read(probe)
    query = SQL("SELECT coalesce(json_agg(t)::text, '') FROM {} t")
    others = schema.tables(now) - {"tasks"}
    contents = {table: str(probe.value(query.format(Identifier(table)))) for table in others}
    return now, contents


def _rows(probe: Probe) -> dict[str, str]:
    """Id → what no migration may change about a row; empty where there is no table."""
    if not probe.value("SELECT to_regclass('tasks') IS NOT NULL"):
        return {}
    rows = probe.query(
        "SELECT id::text AS id,"
        " md5(concat_ws('|', title, description, status::text, type, created_at)) AS rest FROM tasks"
    )
    return {row["id"]: row["rest"] for row in rows}


def _insert(probe: Probe, now: Schema, rows: int) -> str:
    """Insert a task by its title alone, and `rows` more with a null wherever one is allowed."""
    try:
        probe.connection.execute("INSERT INTO tasks (title) VALUES ('a title and nothing else')")
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    nullable = [
        name.removeprefix("column tasks.")
        for name, definition in now.items()
        if name.startswith("column tasks.") and " NOT NULL" not in definition
    ]
    columns = [SQL("title"), *(Identifier(name) for name in nullable)]
    values: list[Any] = [SQL("'row ' || n"), *(SQL("NULL") for _ in nullable)]
    into = SQL("INSERT INTO tasks ({}) SELECT {} FROM generate_series(1, %s) n")
    try:
        probe.connection.execute(into.format(SQL(", ").join(columns), SQL(", ").join(values)), (rows,))
    except psycopg.IntegrityError:  # nulls are kept out by something else than NOT NULL
        probe.connection.execute(into.format(SQL("title"), SQL("'row ' || n")), (rows,))
    return ""
