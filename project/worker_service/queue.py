"""The queue, which is the table `tasks`. Every statement of this service stands in this file.

A worker holds a running task by three columns: its own name (`assigned_worker`), the number of the run
(`attempts`), and the time up to which it is believed to live (`leased_until`, null unless the task runs).
Whatever it writes about the task is fenced by them: once the task has been given to somebody else, or has
been ended, nothing changes any more. The database's clock is the only one that counts.

No statement waits for a row that somebody else has locked; it leaves that row for the next turn.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import class_row, scalar_row, tuple_row

CONNECT_TIMEOUT_S = 3

# An array, because a join would read the whole table in the plan that suits every limit. And the rows are put
# in order twice, because RETURNING promises none.
CLAIM = """
    WITH claimed AS (
        UPDATE tasks
        SET status = 'processing', assigned_worker = %(worker)s, attempts = attempts + 1,
            leased_until = clock_timestamp() + make_interval(secs => %(lease)s),
            updated_at = GREATEST(clock_timestamp(), updated_at + interval '1 microsecond')
        WHERE id = ANY (ARRAY(
            SELECT id
            FROM tasks
            WHERE status = 'pending'
            ORDER BY priority DESC, created_at, id
            LIMIT %(limit)s
            FOR UPDATE SKIP LOCKED
        ))
        RETURNING id, title, type, payload, request_id, attempts, priority, created_at
    )
    SELECT id::text, title, type, payload, request_id, attempts
    FROM claimed
    ORDER BY priority DESC, created_at, id
"""

# A predicate on status would make the planner prefer an index on it to the primary key.
COMPLETE = """
    WITH done AS (
        SELECT tasks.id, result_of_run
        FROM unnest(%(ids)s::uuid[], %(attempts)s::integer[], %(results)s::json[])
                 AS run (task_id, attempt, result_of_run)
             JOIN tasks ON id = task_id AND assigned_worker = %(worker)s AND attempts = attempt
                       AND leased_until IS NOT NULL
        FOR UPDATE OF tasks SKIP LOCKED
    )
    UPDATE tasks
    SET status = 'completed', result = result_of_run, error = NULL, leased_until = NULL,
        updated_at = GREATEST(clock_timestamp(), updated_at + interval '1 microsecond')
    FROM done
    WHERE tasks.id = done.id
    RETURNING tasks.id::text, attempts
"""

FAIL = """
    WITH done AS (
        SELECT tasks.id, error_of_run
        FROM unnest(%(ids)s::uuid[], %(attempts)s::integer[], %(errors)s::text[])
                 AS run (task_id, attempt, error_of_run)
             JOIN tasks ON id = task_id AND assigned_worker = %(worker)s AND attempts = attempt
                       AND leased_until IS NOT NULL
        FOR UPDATE OF tasks SKIP LOCKED
    )
    UPDATE tasks
    SET status = 'failed', result = NULL, error = error_of_run, leased_until = NULL,
        updated_at = GREATEST(clock_timestamp(), updated_at + interval '1 microsecond')
    FROM done
    WHERE tasks.id = done.id
    RETURNING tasks.id::text, attempts
"""

# No index holds leased_until, so this writes no index entry either. It tells which leases are lost for good.
HEARTBEAT = """
    WITH run AS (
        SELECT * FROM unnest(%(ids)s::uuid[], %(attempts)s::integer[]) AS run (task_id, attempt)
    ), free AS (
        SELECT id
        FROM run
             JOIN tasks ON id = task_id AND assigned_worker = %(worker)s AND attempts = attempt
                       AND leased_until IS NOT NULL
        FOR UPDATE OF tasks SKIP LOCKED
    ), extended AS (
        UPDATE tasks
        SET leased_until = clock_timestamp() + make_interval(secs => %(lease)s)
        FROM free
        WHERE tasks.id = free.id
    )
    SELECT task_id::text, attempt
    FROM run
    WHERE NOT EXISTS (
        SELECT FROM tasks
        WHERE id = task_id AND assigned_worker = %(worker)s AND attempts = attempt
          AND leased_until IS NOT NULL
    )
"""

# Rows of workers that left without a word are of no use to anybody after a day.
SIGN_OF_LIFE = """
    WITH forgotten AS (
        DELETE FROM workers WHERE alive_until < clock_timestamp() - interval '1 day'
    )
    INSERT INTO workers (id, alive_until)
    VALUES (%(worker)s, clock_timestamp() + make_interval(secs => %(lease)s))
    ON CONFLICT (id) DO UPDATE SET alive_until = EXCLUDED.alive_until
"""

GOODBYE = "DELETE FROM workers WHERE id = %(worker)s"

# A task that has taken its workers with it often enough is ended here, or it would go on for ever.
REAP = """
    WITH lost AS (
        SELECT id, attempts >= %(max_attempts)s AS for_good
        FROM tasks
        WHERE status = 'processing' AND (leased_until IS NULL OR leased_until < clock_timestamp())
        FOR UPDATE SKIP LOCKED
    )
    UPDATE tasks
    SET status = CASE WHEN for_good THEN 'failed' ELSE 'pending' END,
        error = CASE WHEN for_good THEN format('its worker was lost in each of %%s attempts', attempts) END,
        assigned_worker = CASE WHEN for_good THEN assigned_worker END,
        leased_until = NULL,
        updated_at = GREATEST(clock_timestamp(), updated_at + interval '1 microsecond')
    FROM lost
    WHERE tasks.id = lost.id
    RETURNING tasks.id::text, title, type, payload, request_id, attempts, error
"""

# The run was broken off by us and not by the task, so it does not count.
RELEASE = """
    WITH run AS (
        SELECT id
        FROM unnest(%(ids)s::uuid[], %(attempts)s::integer[]) AS run (task_id, attempt)
             JOIN tasks ON id = task_id AND assigned_worker = %(worker)s AND attempts = attempt
                       AND leased_until IS NOT NULL
        FOR UPDATE OF tasks SKIP LOCKED
    )
    UPDATE tasks
    SET status = 'pending', assigned_worker = NULL, attempts = attempts - 1, leased_until = NULL,
        updated_at = GREATEST(clock_timestamp(), updated_at + interval '1 microsecond')
    FROM run
    WHERE tasks.id = run.id
    RETURNING tasks.id::text
"""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One run of a task, as it was claimed."""

    id: str
    title: str
    type: str
    payload: dict[str, Any]
    request_id: str | None
    attempts: int
    began: float = field(default_factory=perf_counter, kw_only=True)

    def age_ms(self) -> float:
        """For how long it has been running."""
        return round((perf_counter() - self.began) * 1000, 3)


@dataclass(frozen=True, slots=True, eq=False)
class LostTask(Task):
    """A task whose worker was lost; with an error it has failed for good, else it waits again."""

    error: str | None


class Outcome(NamedTuple):
    """How a run ended: with a result (a JSON text), or with an error."""

    task: Task
    result: str | None
    error: str | None
    duration_ms: float


Run = tuple[str, int]
"""A task's id, and the number of the attempt."""


@dataclass(frozen=True)
class Turn:
    """What one visit to the database brought."""

    lost: Collection[Run]
    """The runs that are no longer ours."""
    written: Collection[Run]
    """The runs whose outcome is in the table now."""
    reaped: Sequence[LostTask]
    claimed: Sequence[Task]


@dataclass(frozen=True)
class Answers:
    """The same as it came, before anybody has read it."""

    lost: AsyncCursor[Run] | None
    completed: AsyncCursor[Run] | None
    failed: AsyncCursor[Run] | None
    reaped: AsyncCursor[LostTask] | None
    claimed: AsyncCursor[Task] | None

    async def read(self) -> Turn:
        return Turn(
            lost=await fetch(self.lost),
            written=[*await fetch(self.completed), *await fetch(self.failed)],
            reaped=await fetch(self.reaped),
            claimed=await fetch(self.claimed),
        )


@dataclass
class Queue:
    """One worker's side of the queue, on one connection.

    Every method may raise psycopg.Error. Then nothing was done, or we cannot know: ask for all of it again.
    """

    url: str = field(repr=False)
    worker: str
    lease_s: float
    max_attempts: int
    _connection: AsyncConnection | None = None

    async def turn(
        self, alive: bool, held: Collection[Task], outcomes: Collection[Outcome], reap: bool, claim: int
    ) -> Answers:
        """One visit to the database, in one transaction: say that we live, renew the leases that we hold,
        write down how runs ended, free what lost workers left, claim up to `claim` tasks. What is not needed
        is not sent."""
        completed = [outcome for outcome in outcomes if outcome.error is None]
        failed = [outcome for outcome in outcomes if outcome.error is not None]
        async with self._connected() as connection, connection.pipeline():
            await self._send(alive, SIGN_OF_LIFE)
            lost = await self._send(held, HEARTBEAT, tuple_row, **runs(held))
            complete = await self._send(
                completed,
                COMPLETE,
                tuple_row,
                **runs(tasks(completed)),
                results=[o.result for o in completed],
            )
            fail = await self._send(
                failed, FAIL, tuple_row, **runs(tasks(failed)), errors=[o.error for o in failed]
            )
            reaped = await self._send(reap, REAP, class_row(LostTask), max_attempts=self.max_attempts)
            claimed = await self._send(claim, CLAIM, class_row(Task), limit=claim)
        return Answers(lost, complete, fail, reaped, claimed)

    async def release(self, held: Collection[Task]) -> Sequence[str]:
        """Give runs back that were broken off; the ids of those that wait again."""
        async with self._connected():
            return await fetch(await self._send(held, RELEASE, scalar_row, **runs(held)))

    async def say_goodbye(self) -> None:
        """Tell that this worker is no longer there."""
        async with self._connected():
            await self._send(True, GOODBYE)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        """The connection; a new one if there is none, or if the last statement on it went wrong."""
        if self._connection is None:
            self._connection = await AsyncConnection.connect(
                self.url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
            )
        try:
            yield self._connection
        except BaseException:
            await self.close()
            raise

    async def _send(
        self, wanted: object, statement: LiteralString, rows: Any = tuple_row, **parameters: object
    ) -> AsyncCursor[Any] | None:
        if not wanted or self._connection is None:
            return None
        cursor = self._connection.cursor(row_factory=rows)
        return await cursor.execute(statement, {"worker": self.worker, "lease": self.lease_s, **parameters})


async def fetch(cursor: AsyncCursor[Any] | None) -> Sequence[Any]:
    return await cursor.fetchall() if cursor else ()


def tasks(outcomes: Collection[Outcome]) -> list[Task]:
    return [outcome.task for outcome in outcomes]


def runs(held: Collection[Task]) -> dict[str, list[Any]]:
    """The two arrays that name runs in a statement."""
    return {"ids": [task.id for task in held], "attempts": [task.attempts for task in held]}
