"""What happens around every request: an id, a log line, and an envelope for whatever goes wrong."""

import logging
import re
import time
import uuid

from aiohttp import web
from aiohttp.typedefs import Handler

from . import logs
from .envelope import CODES, Problem, failure

log = logging.getLogger("flowforge.requests")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ERROR: web.RequestKey[str] = web.RequestKey("error", str)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: gives the request its id and logs how it ended."""
    given = request.headers.get("X-Request-ID", "")
    request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    logs.request_id.set(request[REQUEST_ID])  # aiohttp runs each request in a context of its own
    started = time.perf_counter()
    response = await handler(request)
    response.headers["X-Request-ID"] = request[REQUEST_ID]
    extra = {
        "method": request.method,
        "path": request.path,
        "status": response.status,
        "duration_ms": round((time.perf_counter() - started) * 1000, 3),
    }
    if response.status >= 500:
        extra["error"] = request.get(_ERROR, "unknown")
    log.log(logging.ERROR if response.status >= 500 else logging.INFO, "request", extra=extra)
    return response


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every exception into an envelope: ours, the framework's, and a crash."""
    try:
        return await handler(request)
    except Problem as problem:
        return failure(problem)
    except web.HTTPException as error:
        return failure(_from_framework(error))
    except ConnectionError:
        raise  # the client is gone: nobody is left to tell
    except Exception as error:
        log.exception("the request crashed")
        request[_ERROR] = repr(error)
        return failure(Problem(500, "Something broke on our side; the log has the details."))


def _from_framework(error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem(405, f"{error.method} is not offered here.", headers={"Allow": allowed})
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Problem(413, "The body is larger than 65,536 bytes.")
    if error.status in CODES:
        return Problem(error.status, f"{error.reason}.")
    return Problem(400 if error.status < 500 else 500, f"{error.reason}.")
