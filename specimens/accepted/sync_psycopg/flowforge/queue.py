"""The table of tasks as a queue: one function, one statement, which in autocommit is one transaction.

A claim leaves a lease with a token that nobody else has. Who ends a run takes the lease away, and finds none
if the task has another owner by now. All statements lock a task before its lease, so that none waits for
another that waits for it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from flowforge.kinds import Outcome
from flowforge.pool import Connection

_CLAIM = SQL("""
    WITH claimed AS (
        UPDATE tasks
        SET status = 'processing', assigned_worker = %(worker)s, attempts = attempts + 1,
            updated_at = greatest(clock_timestamp(), updated_at + INTERVAL '1 microsecond')
        WHERE id = (
            SELECT id FROM tasks
            WHERE status = 'pending'
            ORDER BY priority DESC, created_at, id
            LIMIT 1
            FOR UPDATE SKIP LOCKED
        )
        RETURNING id, title, type, payload, attempts, request_id
    ), leased AS (
        INSERT INTO leases (task_id, token, expires_at)
        SELECT id, %(token)s, clock_timestamp() + %(lease)s FROM claimed
        ON CONFLICT (task_id) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at
    )
    SELECT * FROM claimed
""")

_PROLONG = SQL("""
    UPDATE leases SET expires_at = clock_timestamp() + %(lease)s
    WHERE task_id = %(task)s AND token = %(token)s
""")

_FINISH = SQL("""
    WITH task AS (
        SELECT id FROM tasks WHERE id = %(task)s FOR UPDATE
    ), ended AS (
        DELETE FROM leases USING task WHERE task_id = task.id AND token = %(token)s RETURNING task_id
    )
    UPDATE tasks
    SET status = %(status)s, result = %(result)s, error = %(error)s,
        updated_at = greatest(clock_timestamp(), updated_at + INTERVAL '1 microsecond')
    FROM ended
    WHERE id = ended.task_id
""")

_GIVE_BACK = SQL("""
    WITH task AS (
        SELECT id FROM tasks WHERE id = %(task)s FOR UPDATE
    ), ended AS (
        DELETE FROM leases USING task WHERE task_id = task.id AND token = %(token)s RETURNING task_id
    )
    UPDATE tasks
    SET status = 'pending', assigned_worker = NULL, attempts = attempts - 1,
        updated_at = greatest(clock_timestamp(), updated_at + INTERVAL '1 microsecond')
    FROM ended
    WHERE id = ended.task_id
""")

# The array keeps the planner from joining the whole table of tasks with the few leases that there are.
_TAKE_BACK_LOST = SQL("""
    WITH task AS (
        SELECT id FROM tasks
        WHERE id = ANY (ARRAY(SELECT task_id FROM leases WHERE expires_at < clock_timestamp()))
        FOR UPDATE SKIP LOCKED
    ), ended AS (
        DELETE FROM leases USING task
        WHERE task_id = task.id AND expires_at < clock_timestamp()
        RETURNING task_id
    )
    UPDATE tasks
    SET status = CASE WHEN attempts < %(most)s THEN 'pending' ELSE 'failed' END,
        assigned_worker = CASE WHEN attempts < %(most)s THEN NULL ELSE assigned_worker END,
        error = CASE WHEN attempts < %(most)s THEN NULL ELSE 'lost its worker ' || attempts || ' times' END,
        updated_at = greatest(clock_timestamp(), updated_at + INTERVAL '1 microsecond')
    FROM ended
    WHERE id = ended.task_id
    RETURNING id, title, request_id, error
""")


@dataclass(frozen=True)
class Lost:
    """A task whose worker was lost; `error` is None if it is pending again."""

    task_id: UUID
    title: str
    request_id: str | None
    error: str | None


@dataclass(frozen=True)
class Claim:
    """A task as it was when it was claimed; `token` is that of its lease."""

    task_id: UUID
    token: UUID
    attempt: int
    title: str
    type: str
    payload: Any
    request_id: str | None


def claim(connection: Connection, worker: str, lease: float) -> Claim | None:
    """The next task, leased to `worker` for `lease` seconds; None if there is none."""
    token = uuid4()
    parameters = {"worker": worker, "token": token, "lease": timedelta(seconds=lease)}
    row = connection.execute(_CLAIM, parameters).fetchone()
    if row is None:
        return None
    return Claim(
        row["id"], token, row["attempts"], row["title"], row["type"], row["payload"], row["request_id"]
    )


def prolong(connection: Connection, claim: Claim, lease: float) -> bool:
    """Whether the claim still holds; if so, for another `lease` seconds."""
    return connection.execute(_PROLONG, _key(claim) | {"lease": timedelta(seconds=lease)}).rowcount == 1


def finish(connection: Connection, claim: Claim, outcome: Outcome) -> bool:
    """Record what became of a task; False if the claim holds no more."""
    parameters = {
        "status": "completed" if outcome.error is None else "failed",
        "result": None if outcome.result is None else Jsonb(outcome.result),
        "error": outcome.error,
    }
    return connection.execute(_FINISH, _key(claim) | parameters).rowcount == 1


def give_back(connection: Connection, claim: Claim) -> bool:
    """Leave a task to others, as if it had never been claimed; False if the claim holds no more."""
    return connection.execute(_GIVE_BACK, _key(claim)).rowcount == 1


def take_back_lost(connection: Connection, most_attempts: int) -> list[Lost]:
    """Make tasks whose lease is over pending again, or failed if they have been tried often enough."""
    rows = connection.execute(_TAKE_BACK_LOST, {"most": most_attempts}).fetchall()
    return [Lost(row["id"], row["title"], row["request_id"], row["error"]) for row in rows]


def _key(claim: Claim) -> dict[str, Any]:
    return {"task": claim.task_id, "token": claim.token}
