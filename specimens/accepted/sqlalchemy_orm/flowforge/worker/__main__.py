"""Starts the worker-service and stops it on a signal."""

import asyncio
import signal
import sys

import structlog
from pydantic import ValidationError

from flowforge import logs
from flowforge.database import Database, is_lost, reason
from flowforge.settings import WorkerSettings, explain
from flowforge.worker.loop import Worker
from flowforge.worker.presence import Presence
from flowforge.worker.queue import TaskQueue

log = structlog.get_logger("flowforge.worker")

STATEMENT_PATIENCE_S = 5.0
LOCK_PATIENCE_S = 1.0


def main() -> int:
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 1
    logs.configure("worker-service", settings.log_level, settings.log_format)
    return asyncio.run(work(settings))


async def work(settings: WorkerSettings) -> int:
    """Work until SIGTERM or SIGINT; the exit status.

    No statement may keep a connection for long: there may be only one, and other tasks need it as well. And
    who is frozen in the middle of a claim must not keep the rows locked.
    """
    lock_patience_s = min(LOCK_PATIENCE_S, settings.worker_lease / 10)
    database = Database(
        settings.database_url.get_secret_value(),
        settings.db_pool_max,
        command_timeout=STATEMENT_PATIENCE_S,
        server_settings={
            "lock_timeout": _milliseconds(lock_patience_s),
            "idle_in_transaction_session_timeout": _milliseconds(STATEMENT_PATIENCE_S),
        },
    )
    queue = TaskQueue(
        database.engine, settings.worker_id, settings.worker_lease, settings.worker_max_attempts
    )
    worker = Worker(settings, queue, Presence(database.engine, settings.worker_id))
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, worker.stop)
    try:
        await database.ping()
    except Exception as error:
        if not is_lost(error):
            raise
        log.critical("The database that DATABASE_URL names cannot be reached", error=reason(error))
        return 1
    else:
        log.info("working", worker=settings.worker_id)
        await worker.run()
        log.info("stopped")
        return 0
    finally:
        await database.close()


def _milliseconds(seconds: float) -> str:
    """As PostgreSQL wants it, where 0 would mean: for ever."""
    return str(max(1, round(seconds * 1000)))


if __name__ == "__main__":
    sys.exit(main())
