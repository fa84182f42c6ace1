"""Starts the api-service and stops it when it is told to."""

import logging
import signal
import socket
import sys
import threading

from flowforge import logs
from flowforge.api import create_app
from flowforge.environment import environment
from flowforge.pool import Pool, Unavailable
from flowforge.server import ApiServer
from flowforge.settings import Settings, SettingsError, read_settings

log = logging.getLogger("flowforge")
LAST_WORDS_S = 1.0
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def main() -> int:
    """Run until SIGTERM or SIGINT; the exit status."""
    try:
        settings = read_settings(environment())
    except SettingsError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    logs.set_up("api-service", settings.log_level, settings.log_format)
    # Held back, here and in every thread to come, until serve() asks for them: a handler that sets an Event
    # can run just before wait() falls asleep, and then nobody wakes it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    pool = Pool(settings.database_url, settings.db_pool_max, "flowforge-api")
    try:
        pool.ping()
        listener = listen(settings)
    except Unavailable as error:
        logs.complain(log, logging.CRITICAL, "the database (DATABASE_URL) cannot be reached", error)
        return 1
    except OSError as error:
        address = f"{settings.api_host}:{settings.api_port}"
        logs.complain(log, logging.CRITICAL, f"cannot listen on API_HOST and API_PORT, {address}", error)
        return 1
    serve(settings, pool, listener)
    return 0


def listen(settings: Settings) -> socket.socket:
    """A listening socket. OSError if there is no such address, or somebody else has it."""
    found = socket.getaddrinfo(settings.api_host, settings.api_port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(256)
    return listener


def serve(settings: Settings, pool: Pool, listener: socket.socket) -> None:
    """Answer requests until one of STOP_SIGNALS comes; then finish those that have begun."""
    server = ApiServer(settings.api_host, settings.api_port, create_app(settings, pool), listener)
    accepting = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    accepting.start()
    log.info("listening on %s:%s", settings.api_host, settings.api_port)
    signal.sigwait(STOP_SIGNALS)
    log.info("stopping")
    listener.close()
    server.shutdown()
    if not server.requests.wait_until_none(settings.shutdown_timeout):
        log.warning("requests were cut off after %s s", settings.shutdown_timeout)
        pool.interrupt()
        server.requests.wait_until_none(LAST_WORDS_S)
    pool.close()
    log.info("stopped")
