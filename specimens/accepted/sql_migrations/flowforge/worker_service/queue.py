"""Every statement that a worker needs.

A worker signs on under an id of its own at every start. Its tasks carry that id, and are lost when the worker
has not been seen for longer than a lease. `attempts` tells its runs of the same task apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

# The worker's sign of life is part of the claim: a task must not look lost from the beginning.
CLAIM = """
    WITH alive AS (
        INSERT INTO workers (id, name, seen_at) VALUES ($1, $2, clock_timestamp())
        ON CONFLICT (id) DO UPDATE SET seen_at = EXCLUDED.seen_at
    ), waiting AS (
        SELECT id, priority, created_at
        FROM tasks
        WHERE status = 'pending'
        ORDER BY priority DESC, created_at, id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ), lost AS (
        SELECT id, priority, created_at
        FROM tasks
        WHERE status = 'processing' AND attempts < $4 AND worker_id <> $1
          AND NOT EXISTS (
              SELECT FROM workers
              WHERE workers.id = tasks.worker_id AND seen_at > clock_timestamp() - $3::interval
          )
        ORDER BY priority DESC, created_at, id
        LIMIT 1
        FOR UPDATE OF tasks SKIP LOCKED
    ), next AS (
        SELECT id
        FROM (SELECT * FROM waiting UNION ALL SELECT * FROM lost) AS candidates
        ORDER BY priority DESC, created_at, id
        LIMIT 1
    )
    UPDATE tasks
    SET status = 'processing', worker_id = $1, assigned_worker = $2, attempts = attempts + 1,
        updated_at = GREATEST(clock_timestamp(), updated_at + INTERVAL '1 millisecond')
    FROM next
    WHERE tasks.id = next.id
    RETURNING tasks.id, title, type, payload, attempts, request_id
"""

BURY = """
    UPDATE tasks
    SET status = 'failed', worker_id = NULL, error = 'given up: ' || attempts || ' workers were lost over it',
        updated_at = GREATEST(clock_timestamp(), updated_at + INTERVAL '1 millisecond')
    WHERE id = ANY (ARRAY(
        SELECT id
        FROM tasks
        WHERE status = 'processing' AND attempts >= $3 AND worker_id <> $1
          AND NOT EXISTS (
              SELECT FROM workers
              WHERE workers.id = tasks.worker_id AND seen_at > clock_timestamp() - $2::interval
          )
        FOR UPDATE OF tasks SKIP LOCKED
    ))
    RETURNING id, title, request_id, error
"""

BEAT = """
    WITH alive AS (
        INSERT INTO workers (id, name, seen_at) VALUES ($1, $2, clock_timestamp())
        ON CONFLICT (id) DO UPDATE SET seen_at = EXCLUDED.seen_at
    )
    SELECT id, attempts FROM tasks WHERE worker_id = $1 AND status = 'processing'
"""

FINISH = """
    UPDATE tasks
    SET status = $4, result = $5, error = $6, worker_id = NULL,
        updated_at = GREATEST(clock_timestamp(), updated_at + INTERVAL '1 millisecond')
    WHERE id = $1 AND worker_id = $2 AND attempts = $3
    RETURNING id
"""

GIVE_BACK = """
    UPDATE tasks
    SET status = 'pending', worker_id = NULL, assigned_worker = NULL, attempts = attempts - 1,
        updated_at = GREATEST(clock_timestamp(), updated_at + INTERVAL '1 millisecond')
    WHERE id = $1 AND worker_id = $2 AND attempts = $3
    RETURNING id
"""

SIGN_OFF = "DELETE FROM workers WHERE id = $1"

FORGET_THE_DEAD = (
    "DELETE FROM workers WHERE seen_at < clock_timestamp() - 2 * $1::interval - INTERVAL '1 day'"
)


@dataclass(frozen=True)
class Run:
    """One attempt at one task."""

    task_id: UUID
    attempt: int


@dataclass(frozen=True)
class Me:
    """The worker that asks. `lease` is how long another one may be silent before its tasks count as lost."""

    id: UUID
    name: str
    lease: timedelta
    max_attempts: int


async def bury(connection: Any, me: Me) -> list[Any]:
    """Give up the tasks that have lost their last worker; what is to be said of them."""
    return await connection.fetch(BURY, me.id, me.lease, me.max_attempts)  # type: ignore[no-any-return]


async def claim(connection: Any, me: Me) -> tuple[Run, Any] | None:
    """The next task, a waiting one or a lost one, and its row as claimed; None if there is none."""
    row = await connection.fetchrow(CLAIM, me.id, me.name, me.lease, me.max_attempts)
    return row and (Run(row["id"], row["attempts"]), row)


async def beat(connection: Any, me: Me) -> set[Run]:
    """Say that we are alive; the runs that are ours according to the table."""
    rows = await connection.fetch(BEAT, me.id, me.name)
    return {Run(row["id"], row["attempts"]) for row in rows}


async def finish(connection: Any, me: Me, run: Run, result: Any, error: str | None) -> bool:
    """Record how a run ended; False if it is no longer ours."""
    status = "completed" if error is None else "failed"
    written = await connection.fetchval(FINISH, run.task_id, me.id, run.attempt, status, result, error)
    return written is not None


async def give_back(connection: Any, me: Me, run: Run) -> bool:
    """As if it had never been claimed; False if it is no longer ours."""
    return await connection.fetchval(GIVE_BACK, run.task_id, me.id, run.attempt) is not None


async def sign_on(connection: Any, me: Me) -> None:
    await connection.execute(FORGET_THE_DEAD, me.lease)
    await beat(connection, me)


async def sign_off(connection: Any, me: Me) -> None:
    await connection.execute(SIGN_OFF, me.id)
