"""A procrastinate worker; DATABASE_URL says where. `--tuned` is the fastest that its public API allows."""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import Any

import psycopg
import psycopg_pool
import uvloop
from procrastinate import App, JobContext, PsycopgConnector

from bench.workers.jsonlog import logger


def unchecked_pool(**settings: Any) -> psycopg_pool.AsyncConnectionPool:
    """A pool that does not ask the server, at every use, whether the connection still lives."""
    return psycopg_pool.AsyncConnectionPool(**(settings | {"check": None}))


async def autocommit(connection: psycopg.AsyncConnection[Any]) -> None:
    """Make every statement its own transaction, without a BEGIN and a COMMIT that travel separately."""
    await connection.set_autocommit(True)


async def main(concurrency: int, pool: int, poll: float, listen: bool, tuned: bool, log: bool) -> None:
    url = os.environ["DATABASE_URL"]
    lines = logger("procrastinate", log)
    if tuned:
        connector = PsycopgConnector(
            pool_factory=unchecked_pool,
            conninfo=url,
            min_size=pool,
            max_size=pool,
            configure=autocommit,
        )
    else:
        connector = PsycopgConnector(conninfo=url)
    app = App(connector=connector)

    @app.task(name="noop", pass_context=True)
    async def noop(context: JobContext) -> None:
        if lines:
            lines.info("task finished", extra={"task_id": context.job.id})

    async with app.open_async():
        await app.run_worker_async(
            concurrency=concurrency, fetch_job_polling_interval=poll, listen_notify=listen
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--pool", type=int, default=4)
    parser.add_argument("--poll", type=float, default=5.0)
    parser.add_argument("--no-listen", action="store_true")
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--log", action="store_true")
    given = parser.parse_args()
    run = uvloop.run if given.uvloop else asyncio.run
    run(main(given.concurrency, given.pool, given.poll, not given.no_listen, given.tuned, given.log))
