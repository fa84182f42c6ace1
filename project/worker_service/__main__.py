"""`python -m worker_service`: works until SIGTERM or SIGINT, finishes what it runs, exits with 0."""

import asyncio
import signal
import sys

import psycopg
import structlog

from flowforge import database, logging
from flowforge.logging import describe
from flowforge.settings import ConfigurationError, load
from worker_service.queue import Queue
from worker_service.settings import WorkerSettings
from worker_service.worker import Worker

log = structlog.get_logger()

# How long the last words to the database may take, after SHUTDOWN_TIMEOUT.
LAST_WORDS_S = 3.0


async def serve(settings: WorkerSettings) -> None:
    """Works until a signal comes, and then for `shutdown_timeout` at most; what is not done is given back."""
    queue = Queue(
        settings.database_url, settings.worker_id, settings.worker_lease, settings.worker_max_attempts
    )
    worker = Worker(queue, settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, worker.stop)
    log.info("worker started", worker=settings.worker_id, concurrency=settings.worker_concurrency)
    working = asyncio.create_task(worker.work())
    told_to_stop = asyncio.create_task(worker.stopping.wait())
    await asyncio.wait({working, told_to_stop}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({working}, timeout=settings.shutdown_timeout)
    if working.done():
        await working  # a mistake of ours ends the process, and loudly
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            if not working.done():
                await worker.give_back(working)
            await queue.say_goodbye()
    except (psycopg.Error, TimeoutError) as error:
        log.error("the end could not be written down; the leases will run out", error=describe(error))
    await queue.close()
    log.info("worker stopped")
    for number in (signal.SIGTERM, signal.SIGINT):  # one that comes now must not change the exit status
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


def main() -> None:
    try:
        settings = load(WorkerSettings)
    except ConfigurationError as error:
        sys.exit(str(error))
    logging.configure("worker-service", settings.log_level, settings.log_format)
    try:
        database.require(settings.database_url)
    except (psycopg.Error, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        log.critical("the database cannot be reached", error=str(error))
        sys.exit(1)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
