"""`python -m api_service`: serves until SIGTERM or SIGINT, finishes what is in flight, exits with 0."""

import asyncio
import signal
import socket
import sys
from types import FrameType

import psycopg
import structlog
import uvicorn

from api_service.app import create_app
from api_service.settings import ApiSettings
from flowforge import database, logging
from flowforge.settings import ConfigurationError, load

# How long a statement that is cut short at the end of SHUTDOWN_TIMEOUT has to be cancelled.
CANCEL_TIMEOUT_S = 1.0


class Server(uvicorn.Server):
    """uvicorn, except for two things at its end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A shutdown that was asked for is a success; uvicorn would raise the signal again, and die of it."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Work that is cut short has time to tell PostgreSQL, which would finish the statement otherwise."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=CANCEL_TIMEOUT_S)


def main() -> None:
    try:
        settings = load(ApiSettings)
    except ConfigurationError as error:
        sys.exit(str(error))
    logging.configure("api-service", settings.log_level, settings.log_format)
    try:
        database.require(settings.database_url)
    except (psycopg.Error, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        structlog.get_logger().critical("the database cannot be reached", error=str(error))
        sys.exit(1)
    Server(
        uvicorn.Config(
            create_app(settings),
            host=settings.api_host,
            port=settings.api_port,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,  # its lines go through our logging
            access_log=False,  # the middleware writes a better one
            proxy_headers=False,
            timeout_keep_alive=75,  # longer than load balancers keep theirs, so that it is they who hang up
            timeout_graceful_shutdown=settings.shutdown_timeout,  # type: ignore[arg-type]  # fractions work
        )
    ).run()


if __name__ == "__main__":
    main()
