"""Around every request: its id, its log line, and an answer when all else failed."""

import asyncio
import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowforge import database
from flowforge.api.errors import error_response

log = structlog.get_logger("flowforge.api")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestMiddleware:
    """Outermost: an exception that comes here becomes a 503 if the database is lost, otherwise a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        failure: dict[str, object] = {}
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            except asyncio.CancelledError:  # the patience of a shutdown is over
                failure = {"error": "cancelled by the shutdown"}
                if not status:
                    await error_response(503, "The service is shutting down.")(scope, receive, send_with_id)
            except Exception as error:
                lost = database.is_lost(error)
                failure = {"error": database.reason(error) if lost else repr(error), "exc_info": not lost}
                if not status:
                    answer = (
                        (503, "The database cannot be reached.") if lost else (500, "Something went wrong.")
                    )
                    await error_response(*answer)(scope, receive, send_with_id)
            write = log.error if status >= 500 else log.info
            write(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round((time.perf_counter() - started) * 1000, 3),
                **failure,
            )
