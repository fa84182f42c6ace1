"""The server's life: listen, wait for a signal, finish what runs, leave."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket

from aiohttp import web

from . import middlewares, views
from .settings import Settings
from .tasks import TaskStore

log = logging.getLogger("flowforge.server")

BACKLOG = 512  # connections that may wait to be accepted
LARGEST_BODY = 65_536  # bytes
LONGEST_LINE = 65_536  # bytes of a request line or header: long queries get our answer, not the parser's


def application(environment: str) -> web.Application:
    app = web.Application(
        middlewares=[middlewares.observe, middlewares.explain], client_max_size=LARGEST_BODY
    )
    app[views.STORE] = TaskStore()
    app[views.ENVIRONMENT] = environment
    views.add_routes(app)
    return app


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit status."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        application(settings.environment),
        access_log=None,  # the middleware writes the one line a request gets
        shutdown_timeout=settings.shutdown_timeout,
        lingering_time=2,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )
    await runner.setup()
    try:
        door = listening_socket(settings.host, settings.port)
    except OSError as error:
        log.critical("cannot listen", extra={"error": _why(error, settings)})
        await runner.cleanup()
        return 1
    await web.SockSite(runner, door, backlog=BACKLOG).start()
    log.info("listening", extra={"host": settings.host, "port": settings.port})
    await stop.wait()
    log.info("stopping")
    await close(door, runner)
    try:
        async with asyncio.timeout(settings.shutdown_timeout):
            await asyncio.sleep(0.05)  # what has reached the sockets by now is read, and answered
            await runner.cleanup()
    except TimeoutError:
        log.warning("SHUTDOWN_TIMEOUT is over; what is still open is dropped")
    log.info("stopped")
    return 0


def listening_socket(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    door = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    door.setblocking(False)
    return door


async def close(door: socket.socket, runner: web.AppRunner) -> None:
    """Stop accepting, without cutting off who has connected already and may have sent a request."""
    loop, server = asyncio.get_running_loop(), runner.server
    assert server is not None, "the runner was set up before there was a door"
    loop.remove_reader(door)
    await asyncio.sleep(0)  # connections that asyncio has just accepted become attached to the server
    late: list[socket.socket] = []
    with contextlib.suppress(OSError):
        while len(late) < BACKLOG:
            late.append(door.accept()[0])
    for site in list(runner.sites):
        await site.stop()
    for connection in late:
        connection.setblocking(False)
        await loop.connect_accepted_socket(server, connection)


def _why(error: OSError, settings: Settings) -> str:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return f"another process listens on {where}; stop it or choose another API_PORT"
    return f"{error.strerror or error} ({where}); set API_HOST and API_PORT to a place where you may listen"
