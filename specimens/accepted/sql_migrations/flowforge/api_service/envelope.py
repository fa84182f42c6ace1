"""The envelope around every answer, and what becomes of errors."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiohttp import web

from flowforge import log
from flowforge.contract import Violation
from flowforge.database import DatabaseUnavailable

REQUEST_ID = web.RequestKey("request_id", str)


class ApiError(Exception):
    """An answer with an error in it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@web.middleware
async def envelope(request: web.Request, handler: Any) -> web.StreamResponse:
    """Give the request its id, turn whatever is raised into an answer, and log it."""
    started = time.monotonic()
    given = request.headers.get("X-Request-ID", "")
    request_id = given if re.fullmatch("[A-Za-z0-9._-]{1,128}", given) else str(uuid4())
    request[REQUEST_ID] = request_id
    failure: BaseException | None = None
    try:
        response = await handler(request)
    except (Exception, asyncio.CancelledError) as error:
        failure = error
        response = error_response(error, request.method)
    response.headers["X-Request-ID"] = request_id
    internal = response.status == 500 and isinstance(failure, Exception)
    if internal:
        log.event("critical", "a request failed unexpectedly", failure, request_id=request_id)
    log.event(
        "error" if response.status >= 500 else "info",
        "request",
        failure if response.status >= 500 else None,
        request_id=request_id,
        method=request.method,
        path=request.path,
        status=response.status,
        duration_ms=round((time.monotonic() - started) * 1000, 3),
    )
    return response


def error_response(error: BaseException, method: str) -> web.Response:
    match error:
        case Violation():
            return problem(400, "invalid_request", error.message, error.fields)
        case ApiError():
            return problem(error.status, error.code, error.message)
        case DatabaseUnavailable():
            return problem(503, "unavailable", "The database does not answer. Try again in a moment.")
        case asyncio.CancelledError():
            return problem(503, "unavailable", "The service is being stopped.")
        case web.HTTPNotFound():
            return problem(404, "not_found", "Nothing is served under this path.")
        case web.HTTPMethodNotAllowed():
            response = problem(405, "method_not_allowed", f"{method} is not offered here.")
            response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
            return response
        case web.HTTPRequestEntityTooLarge():
            return problem(413, "payload_too_large", "The body has more than 65536 bytes.")
        case web.HTTPClientError() | web.PayloadAccessError():
            return problem(400, "invalid_request", "The request is not valid.")
        case _:
            return problem(500, "internal", "This is our fault, not yours.")


def problem(status: int, code: str, message: str, fields: Mapping[str, str] | None = None) -> web.Response:
    details = [{"field": field, "message": text} for field, text in (fields or {}).items()]
    return json_response(
        {"data": None, "error": {"code": code, "message": message, "details": details}}, status
    )


def data_response(
    data: Any, status: int = 200, headers: Mapping[str, str] | None = None, **more: Any
) -> web.Response:
    return json_response({"data": data, "error": None, **more}, status, headers)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    text = json.dumps(value, default=_simple)
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def _simple(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)
