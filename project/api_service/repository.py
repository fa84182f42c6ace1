"""The tasks in PostgreSQL. Every statement of this service stands in this file."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import class_row
from psycopg.types.json import Json
from psycopg_pool import AsyncConnectionPool

from api_service.database import live_connection
from api_service.fields import Status
from api_service.schemas import Task, TaskInput

# Columns are named, never `*`: a statement that is prepared outlives a migration that adds a column. And
# priority is null in old rows until revision 0003 has been there.

CREATE = """
    INSERT INTO tasks (title, description, priority, type, payload, request_id)
    VALUES (%(title)s, %(description)s, %(priority)s, %(type)s, %(payload)s, %(request_id)s)
    RETURNING id, title, description, status, COALESCE(priority, 0) AS priority, type, payload, result, error,
              attempts, assigned_worker, request_id, created_at, updated_at
"""

GET = """
    SELECT id, title, description, status, COALESCE(priority, 0) AS priority, type, payload, result, error,
           attempts, assigned_worker, request_id, created_at, updated_at
    FROM tasks
    WHERE id = %(id)s
"""

LIST = """
    SELECT id, title, description, status, COALESCE(priority, 0) AS priority, type, payload, result, error,
           attempts, assigned_worker, request_id, created_at, updated_at
    FROM tasks
    WHERE %(status)s::text IS NULL OR status = %(status)s
    ORDER BY created_at, id
    LIMIT %(limit)s OFFSET %(offset)s
"""

COUNT = """
    SELECT count(*)
    FROM tasks
    WHERE %(status)s::text IS NULL OR status = %(status)s
"""

# The clock may stand still or be set back between two changes; updated_at moves forward all the same.
REPLACE = """
    UPDATE tasks
    SET title = %(title)s, description = %(description)s, priority = %(priority)s, type = %(type)s,
        payload = %(payload)s,
        updated_at = GREATEST(clock_timestamp(), updated_at + interval '1 microsecond')
    WHERE id = %(id)s
    RETURNING id, title, description, status, COALESCE(priority, 0) AS priority, type, payload, result, error,
              attempts, assigned_worker, request_id, created_at, updated_at
"""

DELETE = "DELETE FROM tasks WHERE id = %(id)s"

PING = "SELECT 1"
PING_TIMEOUT_S = 4.0


@dataclass(frozen=True)
class TaskRepository:
    """The tasks. Every method raises psycopg.OperationalError while the database cannot be reached."""

    pool: AsyncConnectionPool

    async def create(self, task: TaskInput, request_id: str) -> Task:
        async with live_connection(self.pool) as connection:
            [created] = await fetch_tasks(connection, CREATE, columns(task) | {"request_id": request_id})
            return created

    async def get(self, task_id: UUID) -> Task | None:
        async with live_connection(self.pool) as connection:
            return next(iter(await fetch_tasks(connection, GET, {"id": task_id})), None)

    async def page(self, status: Status | None, limit: int, offset: int) -> tuple[list[Task], int]:
        """Tasks from `offset` on, oldest first, and how many there are on all pages together."""
        async with live_connection(self.pool) as connection:
            tasks = await fetch_tasks(connection, LIST, {"status": status, "limit": limit, "offset": offset})
            [(total,)] = await (await connection.execute(COUNT, {"status": status})).fetchall()
            return tasks, total

    async def replace(self, task_id: UUID, task: TaskInput) -> Task | None:
        async with live_connection(self.pool) as connection:
            return next(iter(await fetch_tasks(connection, REPLACE, columns(task) | {"id": task_id})), None)

    async def delete(self, task_id: UUID) -> bool:
        """Whether there was such a task."""
        async with live_connection(self.pool) as connection:
            return (await connection.execute(DELETE, {"id": task_id})).rowcount == 1

    async def ping(self) -> None:
        """Returns if the database answers in time.

        A statement that hangs is not waited for after its time is up: cancelling it takes the server's help.
        """
        answer = asyncio.create_task(self._ping())
        done, _ = await asyncio.wait({answer}, timeout=PING_TIMEOUT_S)
        if not done:
            answer.cancel()
            raise OperationalError(f"no answer from the database within {PING_TIMEOUT_S:g} s")
        await answer

    async def _ping(self) -> None:
        async with live_connection(self.pool) as connection:
            await connection.execute(PING)


async def fetch_tasks(
    connection: AsyncConnection, statement: LiteralString, parameters: Mapping[str, Any]
) -> list[Task]:
    async with connection.cursor(row_factory=class_row(Task)) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


def columns(task: TaskInput) -> dict[str, Any]:
    return task.model_dump() | {"payload": Json(task.payload, dumps=partial(json.dumps, ensure_ascii=False))}
