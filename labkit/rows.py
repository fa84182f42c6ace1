"""The rows that a walk through the migrations puts into `tasks`, and whether they come through unchanged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Composed, Identifier

from labkit.evidence import shorten
from labkit.probe import Probe
from labkit.schema import Schema

_KEPT = (
    *("title", "description", "status", "type", "priority", "payload", "created_at"),
    *("result", "error", "attempts", "assigned_worker", "request_id"),
)
"""The columns whose values no migration may change."""

Rows = dict[str, dict[str, str | None]]
"""Id → column → value."""


def read(probe: Probe, columns: Schema) -> Rows:
    """What no migration may change about the rows; empty without columns, for then there is no table."""
    if not columns:
        return {}
    shown = [SQL("id::text AS id"), *(_as_text(name, columns[name]) for name in _KEPT if name in columns)]
    rows = probe.query(SQL("SELECT {} FROM tasks").format(SQL(", ").join(shown)))
    return {row.pop("id"): row for row in rows}


def _as_text(name: str, definition: str) -> Composable:
    """A column as text; a time looks the same with and without a time zone of its own."""
    text = "{0}::timestamptz::text AS {0}" if definition.startswith("timestamp") else "{0}::text AS {0}"
    return SQL(text).format(Identifier(name))


def lost(before: Rows, after: Rows) -> str:
    """How many rows are gone, and how many have other values, with an example; empty if none. A null may have
    become anything."""
    gone = sum(task_id not in after for task_id in before)
    changed = [
        (values, name, after[task_id][name])
        for task_id, values in before.items()
        if task_id in after and (name := _changed(values, after[task_id]))
    ]
    said = [f"{_rows(gone)} gone"] if gone else []
    if changed:
        values, name, now = min(changed, key=lambda change: change[0].get("title") or "")
        example = f"{values.get('title')!r} had {name} {_shown(values[name])}, now {_shown(now)}"
        said.append(f"{_rows(len(changed))} changed: {example}")
    return "; ".join(said)


def _changed(before: dict[str, str | None], after: dict[str, str | None]) -> str:
    """The first column that has another value, though it held one; empty if there is none."""
    held = (name for name, value in before.items() if value is not None)
    return next((name for name in held if after.get(name, before[name]) != before[name]), "")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _shown(value: str | None) -> str:
    return "null" if value is None else repr(shorten(value, 60))


def insert(probe: Probe, columns: Schema, count: int, unfilled: Collection[str]) -> str:
    """Insert a task by its title alone, one with a priority of its own, two that have ended, and `count` more
    with a null wherever one is allowed; PostgreSQL's word if it refuses a title alone.

    A column that has a default and is not among the `unfilled` gets no nulls: whoever has filled it and given
    it a default may rely on that.
    """
    nullable = [
        name
        for name, definition in columns.items()
        if " NOT NULL" not in definition
        and " GENERATED" not in definition
        and name != "title"
        and (name in unfilled or " DEFAULT " not in definition)
    ]
    try:
        probe.connection.execute("INSERT INTO tasks (title) VALUES ('a title and nothing else')")
        if "priority" in columns:
            probe.connection.execute("INSERT INTO tasks (title, priority) VALUES ('with a priority', 7)")
        for done in _DONE:
            with suppress(psycopg.Error):  # not every column is there yet; a table may have rules of its own
                probe.connection.execute(done)
        try:
            probe.connection.execute(_copies(nullable), (count,))
        except (psycopg.IntegrityError, psycopg.errors.RaiseException):
            # nulls are kept out by something else than NOT NULL
            probe.connection.execute(_copies([]), (count,))
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return ""


_DONE: tuple[LiteralString, ...] = (
    "INSERT INTO tasks (title, status, attempts, assigned_worker, request_id, result)"
    """ VALUES ('done', 'completed', 1, 'worker-1', 'request-1', '{"n": 1}')""",
    "INSERT INTO tasks (title, status, attempts, assigned_worker, request_id, error)"
    " VALUES ('not done', 'failed', 2, 'worker-1', 'request-2', 'no luck')",
)
"""Tasks that workers have ended."""


def _copies(nullable: Sequence[str]) -> Composed:
    """An INSERT of a number of rows with nulls in these columns."""
    columns = [Identifier("title"), *map(Identifier, nullable)]
    values = [SQL("'row ' || n"), *(SQL("NULL") for _ in nullable)]
    return SQL("INSERT INTO tasks ({}) SELECT {} FROM generate_series(1, %s) n").format(
        SQL(", ").join(columns), SQL(", ").join(values)
    )
