"""The envelope that every body but the description comes in, and the exception that becomes one."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import web

_dumps = partial(json.dumps, ensure_ascii=False)

CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    500: "internal",
    503: "unavailable",
}


@dataclass(frozen=True, slots=True)
class Detail:
    """One field and what is wrong with it."""

    field: str
    message: str


@dataclass
class Problem(Exception):
    """Raised anywhere below the middlewares; the client gets it as an envelope."""

    status: int
    message: str
    details: Iterable[Detail] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def success(
    data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, **more: Any
) -> web.Response:
    """`data` in its envelope, with `more` (such as `meta`) beside it."""
    body = {"data": data, "error": None, **more}
    return web.json_response(body, status=status, headers=headers, dumps=_dumps)


def failure(problem: Problem) -> web.Response:
    error = {
        "code": CODES[problem.status],
        "message": problem.message,
        "details": [{"field": detail.field, "message": detail.message} for detail in problem.details],
    }
    body = {"data": None, "error": error}
    return web.json_response(body, status=problem.status, headers=dict(problem.headers), dumps=_dumps)
