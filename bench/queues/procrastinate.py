"""procrastinate: its own tables; jobs are added by its `batch_defer`."""

from __future__ import annotations

import asyncio

from procrastinate import App, PsycopgConnector

from bench.queues import Queue

TASK = "noop"


def _prepare(url: str) -> None:
    async def run() -> None:
        async with App(connector=PsycopgConnector(conninfo=url)).open_async() as app:
            await app.schema_manager.apply_schema_async()

    asyncio.run(run())


def _fill(url: str, count: int) -> None:
    async def run() -> None:
        async with App(connector=PsycopgConnector(conninfo=url)).open_async() as app:
            await app.configure_task(TASK).batch_defer_async(*({} for _ in range(count)))

    asyncio.run(run())


QUEUE = Queue(
    name="procrastinate",
    table="procrastinate_jobs",
    prepare=_prepare,
    fill=_fill,
    clear="TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers",
    left="""
        SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo')
            OR EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NOT NULL)
    """,
    done="""
        SELECT count(*), max(pg_xact_commit_timestamp(xmin))
        FROM procrastinate_jobs WHERE status = 'succeeded' AND lock IS NULL
    """,
    insert="INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'noop')",
    claimed="doing",
    history="""
        INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts, lock)
        SELECT 'default', 'noop', 'succeeded', 1, 'history' FROM generate_series(1, %s) n
    """,
)
