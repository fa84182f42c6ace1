"""Starts the api-service: settings, socket, database, then HTTP until a signal."""

import asyncio
import signal
import socket
import sys

import structlog
import uvicorn
from pydantic import ValidationError

from flowforge import logs
from flowforge.api.app import create_app
from flowforge.database import Database, is_lost, reason
from flowforge.settings import ApiSettings, explain

log = structlog.get_logger("flowforge.api")


def main() -> int:
    try:
        settings = ApiSettings()
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 1
    logs.configure("api-service", settings.log_level, settings.log_format)
    try:
        listener = listen(settings.api_host, settings.api_port)
    except OSError as error:
        log.critical("API_HOST and API_PORT are no address to listen on", error=str(error))
        return 1
    return asyncio.run(serve(settings, listener))


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; nobody can connect to it before the server listens. OSError if it cannot be had."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    return listener


async def serve(settings: ApiSettings, listener: socket.socket) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    database = Database(settings.database_url.get_secret_value(), settings.db_pool_max)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, database),
            access_log=False,
            log_config=None,
            lifespan="off",
            server_header=False,
            # asyncio gets it, which takes fractions; with 0 uvicorn would call an idle stop a failed one
            timeout_graceful_shutdown=max(settings.shutdown_timeout, 0.01),  # type: ignore[arg-type]
        )
    )

    def stop(_signal: int, _frame: object) -> None:
        server.should_exit = True

    # uvicorn puts its own handlers in front of these, and once it has stopped it raises the signal again
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, stop)
    try:
        await database.ping()
    except Exception as error:
        if not is_lost(error):
            raise
        log.critical("The database that DATABASE_URL names cannot be reached", error=reason(error))
        return 1
    else:
        log.info("listening", host=settings.api_host, port=settings.api_port)
        await server.serve(sockets=[listener])
        return 0
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
