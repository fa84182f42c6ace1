"""Werkzeug's threaded server, taught which requests it has not answered yet."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

log = logging.getLogger("flowforge.server")
ANSWERED = "flowforge.answered"


class OpenRequests:
    """How many requests have begun and are not answered."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def add(self, difference: int) -> None:
        with self._changed:
            self._count += difference
            self._changed.notify_all()

    def wait_until_none(self, patience: float) -> bool:
        """Whether all have been answered within `patience` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, patience)


class Handler(WSGIRequestHandler):
    """A connection; its request counts from its first line until the last byte of the answer is sent."""

    server: "ApiServer"
    _counted = False

    def parse_request(self) -> bool:
        self._counted = True
        self.server.requests.add(1)
        return super().parse_request()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        finally:
            self.answered()

    def answered(self) -> None:
        if self._counted:
            self._counted = False
            self.server.requests.add(-1)

    def make_environ(self) -> dict[str, Any]:
        return super().make_environ() | {ANSWERED: self.answered}

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The application logs its requests itself."""

    def log_error(self, format: str, *args: Any) -> None:
        """What is no HTTP never comes to the application, and is the client's mistake, not ours."""
        log.warning("not understood: " + format, *args)


class ApiServer(ThreadedWSGIServer):
    """Serves `app` on a socket that listens already."""

    def __init__(self, host: str, port: int, app: Flask, listener: socket.socket) -> None:
        self.requests = OpenRequests()
        super().__init__(host, port, _telling_when_answered(app), handler=Handler, fd=listener.fileno())

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.exception("a connection broke off")


def _telling_when_answered(app: Flask) -> Callable[..., Iterator[bytes]]:
    """The server asks for the next part of the answer only once it has sent the one before."""

    def respond(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        body = app(environ, start_response)
        try:
            yield b""  # sends the head, also where there is no body
            yield from body
        finally:
            if hasattr(body, "close"):
                body.close()
        environ[ANSWERED]()

    return respond
