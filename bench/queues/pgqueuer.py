"""pgqueuer: its own tables with its own advice on autovacuum; jobs are added by its `enqueue`."""

from __future__ import annotations

import asyncio

import psycopg
from pgqueuer.db import PsycopgDriver
from pgqueuer.queries import Queries

from bench.queues import Queue

ENTRYPOINT = "noop"
_CHUNK = 20_000


async def _connect(url: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(url, autocommit=True)


def _prepare(url: str) -> None:
    async def run() -> None:
        async with await _connect(url) as connection:
            queries = Queries(PsycopgDriver(connection))
            await queries.install()
            await queries.optimize_autovacuum()

    asyncio.run(run())


def _fill(url: str, count: int) -> None:
    async def run() -> None:
        async with await _connect(url) as connection:
            queries = Queries(PsycopgDriver(connection))
            for start in range(0, count, _CHUNK):
                size = min(_CHUNK, count - start)
                await queries.enqueue([ENTRYPOINT] * size, [None] * size, [0] * size)

    asyncio.run(run())


QUEUE = Queue(
    name="pgqueuer",
    table="pgqueuer",
    prepare=_prepare,
    fill=_fill,
    clear="TRUNCATE pgqueuer, pgqueuer_log",
    left="SELECT EXISTS (SELECT FROM pgqueuer)",
    done="""
        SELECT count(*), max(pg_xact_commit_timestamp(xmin))
        FROM pgqueuer_log WHERE status = 'successful' AND priority = 0
    """,
    insert="INSERT INTO pgqueuer (priority, entrypoint, status) VALUES (0, 'noop', 'queued')",
    claimed="picked",
    history="""
        INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, aggregated)
        SELECT -n, 'successful', 1, 'noop', true FROM generate_series(1, %s) n
    """,
)
