"""Every statement that the API needs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from flowforge.database import ask

Task = Mapping[str, Any]

INSERT = """
    INSERT INTO tasks (id, title, description, priority, type, payload, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (id) DO NOTHING
"""

SELECT = """
    SELECT id, title, description, status, COALESCE(priority, 0::smallint) AS priority, type, payload, result,
           error, attempts, assigned_worker, request_id, created_at, updated_at
    FROM tasks
    WHERE id = $1
"""

SELECT_PAGE = """
    SELECT id, title, description, status, COALESCE(priority, 0::smallint) AS priority, type, payload, result,
           error, attempts, assigned_worker, request_id, created_at, updated_at
    FROM tasks
    WHERE $1::text IS NULL OR status = $1
    ORDER BY created_at, id
    LIMIT $2 OFFSET $3
"""

COUNT = "SELECT count(*) FROM tasks WHERE $1::text IS NULL OR status = $1"

# updated_at has milliseconds, so the smallest step forward is one of them.
UPDATE = """
    UPDATE tasks
    SET title = $2, description = $3, priority = $4, type = $5, payload = $6,
        updated_at = GREATEST(clock_timestamp(), updated_at + INTERVAL '1 millisecond')
    WHERE id = $1
    RETURNING id, title, description, status, priority, type, payload, result,
              error, attempts, assigned_worker, request_id, created_at, updated_at
"""

DELETE = "DELETE FROM tasks WHERE id = $1 RETURNING id"


async def create(pool: asyncpg.Pool, fields: Task, request_id: str) -> Task:
    """The id is ours, so an INSERT whose answer was lost can be tried again: the row is there or not."""
    task_id = new_id()

    async def insert(connection: Any) -> Task:
        await connection.execute(INSERT, task_id, *_settable(fields), request_id)
        return await connection.fetchrow(SELECT, task_id)  # type: ignore[no-any-return]

    return await ask(pool, insert, repeatable=True)


async def find(pool: asyncpg.Pool, task_id: UUID) -> Task | None:
    async def select(connection: Any) -> Task | None:
        return await connection.fetchrow(SELECT, task_id)  # type: ignore[no-any-return]

    return await ask(pool, select, repeatable=True)


async def find_page(pool: asyncpg.Pool, status: str | None, page: int, limit: int) -> tuple[list[Task], int]:
    """The tasks on a page, and how many there are on all."""

    async def select(connection: Any) -> tuple[list[Task], int]:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            total = await connection.fetchval(COUNT, status)
            return await connection.fetch(SELECT_PAGE, status, limit, (page - 1) * limit), total

    return await ask(pool, select, repeatable=True)


async def replace(pool: asyncpg.Pool, task_id: UUID, fields: Task) -> Task | None:
    async def update(connection: Any) -> Task | None:
        return await connection.fetchrow(UPDATE, task_id, *_settable(fields))  # type: ignore[no-any-return]

    return await ask(pool, update, repeatable=True)


async def delete(pool: asyncpg.Pool, task_id: UUID) -> bool:
    """Not repeatable: the second time it would not know whether it had been there."""

    async def remove(connection: Any) -> bool:
        return await connection.fetchval(DELETE, task_id) is not None

    return await ask(pool, remove, repeatable=False)


def new_id() -> UUID:
    """A UUID of version 7: milliseconds, then chance."""
    number = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=number)


def _settable(fields: Task) -> tuple[Any, ...]:
    return tuple(fields[name] for name in ("title", "description", "priority", "type", "payload"))
