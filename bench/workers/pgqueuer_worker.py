"""A pgqueuer worker, on uvloop as its own command line runs one; DATABASE_URL says where."""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import psycopg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.models import Job

from bench.workers.jsonlog import logger


@asynccontextmanager
async def connected(driver: str, url: str) -> AsyncIterator[PgQueuer]:
    if driver == "asyncpg":
        connection = await asyncpg.connect(url)
        yield PgQueuer.from_asyncpg_connection(connection)
    elif driver == "asyncpg-pool":
        async with asyncpg.create_pool(url, min_size=2, max_size=5) as pool:
            yield PgQueuer.from_asyncpg_pool(pool)
    else:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as plain:
            yield PgQueuer.from_psycopg_connection(plain)


async def main(driver: str, batch: int, pause: float, log: bool) -> None:
    lines = logger("pgqueuer", log)
    async with connected(driver, os.environ["DATABASE_URL"]) as pgq:

        @pgq.entrypoint("noop")
        async def noop(job: Job) -> None:
            if lines:
                lines.info("task finished", extra={"task_id": job.id})

        await pgq.run(batch_size=batch, dequeue_timeout=timedelta(seconds=pause))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", choices=["asyncpg", "asyncpg-pool", "psycopg"], default="asyncpg")
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--pause", type=float, default=30.0)
    parser.add_argument("--log", action="store_true")
    given = parser.parse_args()
    uvloop.run(main(given.driver, given.batch, given.pause, given.log))
