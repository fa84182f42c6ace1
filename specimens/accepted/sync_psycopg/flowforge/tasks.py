"""Tasks in the database: one function, one statement."""

from typing import Any

from psycopg.sql import SQL, Composed
from psycopg.types.json import Jsonb

from flowforge.pool import Connection

Row = dict[str, Any]

# A null priority is one that the third revision has not filled yet.
_COLUMNS = SQL(
    "id, title, description, status, coalesce(priority, 0) AS priority, type, payload, result, error,"
    " attempts, assigned_worker, request_id, created_at, updated_at"
)


def _with_columns(statement: str) -> Composed:
    return SQL(statement).format(columns=_COLUMNS)  # type: ignore[arg-type]


_INSERT = _with_columns("""
    INSERT INTO tasks (title, description, priority, type, payload, request_id)
    VALUES (%(title)s, %(description)s, %(priority)s, %(type)s, %(payload)s, %(request_id)s)
    RETURNING {columns}
""")

_SELECT = _with_columns("SELECT {columns} FROM tasks WHERE id = %(id)s")

_COUNT = SQL("SELECT count(*) AS total FROM tasks WHERE %(status)s::text IS NULL OR status = %(status)s")

_PAGE = _with_columns("""
    SELECT {columns} FROM tasks
    WHERE %(status)s::text IS NULL OR status = %(status)s
    ORDER BY created_at, id
    LIMIT %(limit)s OFFSET %(offset)s
""")

# clock_timestamp() alone could stand still, or go back, between two changes.
_UPDATE = _with_columns("""
    UPDATE tasks
    SET title = %(title)s, description = %(description)s, priority = %(priority)s, type = %(type)s,
        payload = %(payload)s,
        updated_at = greatest(clock_timestamp(), updated_at + INTERVAL '1 microsecond')
    WHERE id = %(id)s
    RETURNING {columns}
""")

_DELETE = SQL("DELETE FROM tasks WHERE id = %(id)s")


def add(connection: Connection, fields: Row, request_id: str) -> Row:
    row = connection.execute(_INSERT, _parameters(fields) | {"request_id": request_id}).fetchone()
    assert row is not None
    return row


def get(connection: Connection, task_id: str) -> Row | None:
    return connection.execute(_SELECT, {"id": task_id}).fetchone()


def count(connection: Connection, status: str | None) -> int:
    row = connection.execute(_COUNT, {"status": status}).fetchone()
    assert row is not None
    return int(row["total"])


def page(connection: Connection, status: str | None, number: int, limit: int) -> list[Row]:
    parameters = {"status": status, "limit": limit, "offset": (number - 1) * limit}
    return connection.execute(_PAGE, parameters).fetchall()


def replace(connection: Connection, task_id: str, fields: Row) -> Row | None:
    return connection.execute(_UPDATE, _parameters(fields) | {"id": task_id}).fetchone()


def remove(connection: Connection, task_id: str) -> bool:
    return connection.execute(_DELETE, {"id": task_id}).rowcount == 1


def _parameters(fields: Row) -> Row:
    return fields | {"payload": Jsonb(fields["payload"])}
