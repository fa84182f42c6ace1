"""The seam around a WSGI application."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from labkit.sabotage.exchange import Headers, Request, Response
from labkit.sabotage.seam import SEAM

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]


class WsgiLayer:
    """Stands in for the application that it is put around, in every respect but its answers."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        conversation = SEAM.converse(_request(environ))
        request = next(conversation)
        try:
            while True:
                request = conversation.send(_ask(self._app, environ, request))
        except StopIteration as end:
            response: Response = end.value
        start_response(_status_line(response.status), list(response.headers))
        return [response.body]


def _request(environ: Environ) -> Request:
    length = environ.get("CONTENT_LENGTH") or "0"
    body = environ["wsgi.input"].read(int(length)) if length.isdecimal() else b""
    headers = [
        (name[5:].replace("_", "-").lower(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    ]
    if environ.get("CONTENT_TYPE"):
        headers.append(("content-type", environ["CONTENT_TYPE"]))
    path = str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")
    return Request(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), tuple(headers), body)


def _ask(app: Application, environ: Environ, request: Request) -> Response:
    """The application's response, whole."""
    status = 500
    headers: Headers = ()

    def start_response(line: str, fields: list[tuple[str, str]], exc_info: object = None) -> Any:
        nonlocal status, headers
        status = int(line.split()[0])
        headers = tuple((name.lower(), value) for name, value in fields)
        return written.append

    written: list[bytes] = []
    chunks = app(_environ(environ, request), start_response)
    try:
        body = b"".join([*written, *chunks])
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()
    return Response(status, headers, body)


def _environ(environ: Environ, request: Request) -> Environ:
    return {
        **environ,
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.header("content-type") or "",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": io.BytesIO(request.body),
    }


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} "
