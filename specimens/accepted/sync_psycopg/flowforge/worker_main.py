"""Starts the worker-service and stops it when it is told to."""

import logging
import signal
import sys

from psycopg.sql import SQL, Literal

from flowforge import logs
from flowforge.environment import environment
from flowforge.pool import Pool, Unavailable
from flowforge.presence import WORKER
from flowforge.settings import Settings, SettingsError, read_settings
from flowforge.worker import Worker

log = logging.getLogger("flowforge")
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
LOCK_PATIENCE_MS = 1000


def main() -> int:
    """Run until SIGTERM or SIGINT; the exit status."""
    try:
        settings = read_settings(environment())
    except SettingsError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    logs.set_up("worker-service", settings.log_level, settings.log_format)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # in all threads: sigwait() gets them
    pool = open_pool(settings)
    try:
        pool.ping()
    except Unavailable as error:
        logs.complain(log, logging.CRITICAL, "the database (DATABASE_URL) cannot be reached", error)
        return 1
    worker = Worker(settings, pool)
    worker.start()
    log.info("working as %s", settings.worker_id)
    signal.sigwait(STOP_SIGNALS)
    log.info("stopping")
    worker.stop()
    pool.close()
    log.info("stopped")
    return 0


def open_pool(settings: Settings) -> Pool:
    """No statement waits long for a lock: the connection may be the only one, and the leases need it.

    Plans are made anew each time, because one that was made for a small table would stay when it has grown.
    """
    patience_ms = max(1, min(LOCK_PATIENCE_MS, round(settings.worker_lease * 100)))
    first = SQL("SET lock_timeout = {}; SET plan_cache_mode = force_custom_plan").format(Literal(patience_ms))
    return Pool(settings.database_url, settings.db_pool_max, WORKER, first)
