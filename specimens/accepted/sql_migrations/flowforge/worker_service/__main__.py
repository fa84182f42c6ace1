"""Start and stop of the worker-service."""

from __future__ import annotations

import asyncio
import signal
import sys

from flowforge import log
from flowforge.config import ConfigError, WorkerConfig, read_worker_config
from flowforge.database import DatabaseUnavailable
from flowforge.worker_service.service import WorkerService


def main() -> int:
    try:
        config = read_worker_config()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    log.configure("worker-service", config.log_level, config.log_format)
    return asyncio.run(run(config))


async def run(config: WorkerConfig) -> int:
    """Work until SIGTERM or SIGINT; the exit status."""
    service = WorkerService(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, service.stop)
    try:
        await service.sign_on()
    except DatabaseUnavailable as error:
        log.event("critical", "the database at DATABASE_URL cannot be reached", str(error))
        return 1
    log.event("info", "working", worker=config.name)
    await service.work()
    log.event("info", "stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
