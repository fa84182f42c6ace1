"""What happens around every request: it gets an id, a log line, and an answer even if we crash.

Pure ASGI: Starlette's BaseHTTPMiddleware is several times slower and keeps context variables from the log.
"""

import asyncio
import re
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_service import errors
from flowforge.logging import describe

log = structlog.get_logger()

REQUEST_ID_FORM = re.compile("[A-Za-z0-9._-]{1,128}")


class RequestIdMiddleware:
    """Takes the client's X-Request-ID or makes one; sends it back, and puts it on every log line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = Headers(scope=scope).get("x-request-id", "")
        if not REQUEST_ID_FORM.fullmatch(request_id):
            request_id = str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, send_with_id)


class RequestLogMiddleware:
    """Writes a request's one line when it has ended. Who answers a 5xx leaves the reason in `state.error`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_at = perf_counter()
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            line = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "duration_ms": round((perf_counter() - started_at) * 1000, 3),
            }
            if status < 500:
                log.info("request", **line)
            else:
                error = scope["state"].get("error")
                crash = error if status == 500 else None
                log.error("request", **line, error=describe(error) if error else "unknown", exc_info=crash)


class CrashMiddleware:
    """The last resort: an exception that nobody expected is a 500, work cut short by the shutdown a 503."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except (Exception, asyncio.CancelledError) as error:
            scope["state"]["error"] = error
            if started:
                raise
            cut_short = isinstance(error, asyncio.CancelledError)
            response = errors.unavailable() if cut_short else errors.internal()
            await response(scope, receive, send)
