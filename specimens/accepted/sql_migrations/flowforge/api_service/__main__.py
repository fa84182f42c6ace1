"""Start and stop of the api-service."""

from __future__ import annotations

import asyncio
import signal
import sys

from aiohttp import web

from flowforge import log
from flowforge.api_service.app import IN_FLIGHT, create_app
from flowforge.config import Config, ConfigError, read_config
from flowforge.database import DatabaseUnavailable, close_pool, create_pool, ping

LAST_ANSWERS_S = 1.0


def main() -> int:
    try:
        config = read_config()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    log.configure("api-service", config.log_level, config.log_format)
    return asyncio.run(run(config))


async def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    async with create_pool(config.database_url, config.db_pool_max) as pool:
        try:
            await ping(pool)
        except DatabaseUnavailable as error:
            log.event("critical", "the database at DATABASE_URL cannot be reached", str(error))
            return 1
        app = create_app(config, pool)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=LAST_ANSWERS_S)
        await runner.setup()
        site = web.TCPSite(runner, config.api_host, config.api_port)
        try:
            await site.start()
        except OSError as error:
            log.event("critical", "nothing can listen on API_HOST and API_PORT", str(error))
            await runner.cleanup()
            return 1
        log.event("info", "listening", host=config.api_host, port=config.api_port)
        await told_to_stop.wait()
        await stop(config, app, runner, site)
        await close_pool(pool)
    log.event("info", "stopped")
    return 0


async def stop(config: Config, app: web.Application, runner: web.AppRunner, site: web.TCPSite) -> None:
    """Let requests in flight finish for as long as SHUTDOWN_TIMEOUT allows, idle connections not at all.

    aiohttp's own patience would be asked for twice, so the waiting is done here.
    """
    log.event("info", "stopping")
    await site.stop()
    await asyncio.sleep(0)  # what has just arrived becomes a request in flight
    assert runner.server is not None
    runner.server.pre_shutdown()
    in_flight = app[IN_FLIGHT]
    if in_flight:
        _, late = await asyncio.wait(in_flight, timeout=config.shutdown_timeout)
        for task in late:
            task.cancel()
    await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
