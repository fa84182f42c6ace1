"""What a client sees when something is wrong: the envelope, whoever noticed."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import OperationalError
from starlette.exceptions import HTTPException

from api_service.schemas import Error, ErrorEnvelope, FieldError

CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    500: "internal",
    503: "unavailable",
}


def error_response(
    status: int,
    message: str,
    details: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    error = Error(code=CODES[status], message=message, details=list(details))
    return JSONResponse(ErrorEnvelope(error=error).model_dump(), status, headers)


def unavailable() -> JSONResponse:
    return error_response(503, "The service cannot do this at the moment. Try again later.")


def internal() -> JSONResponse:
    return error_response(500, "Something went wrong on our side.")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route names in its description."""
    return {status: {"model": ErrorEnvelope, "description": HTTPStatus(status).phrase} for status in statuses}


# Said of every route. FastAPI would describe a 422 of its own where nothing is said.
ANY_OTHER_ERROR: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorEnvelope, "description": "Any other error"}
}


async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
    """What a route or the framework refuses by raising HTTPException."""
    if error.status_code == 405:
        return error_response(405, error.detail, headers={"Allow": ", ".join(declared_methods(request))})
    return error_response(error.status_code, error.detail, headers=error.headers)


def declared_methods(request: Request) -> list[str]:
    """All methods of the path; the framework's own Allow names those of one route only."""
    return [method.upper() for method in request.app.openapi()["paths"][request.scope["route"].path]]


async def on_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
    problems = error.errors()
    details = [
        FieldError(field=field_name(problem["loc"]), message=problem["msg"].removeprefix("Value error, "))
        for problem in problems
        if problem["loc"] != ("body",)
    ]
    return error_response(400, "The request is not valid." if details else problems[0]["msg"], details)


def field_name(location: Sequence[str | int]) -> str:
    """ "payload.size" of ("body", "payload", "size"), "page" of ("query", "page").

    A name that the client made up may hold a lone surrogate, which no response can carry.
    """
    parts = [str(part) for part in location[1:] if part != "[key]"]
    return ".".join(parts).encode("utf-8", "replace").decode()


async def on_database_error(request: Request, error: OperationalError) -> JSONResponse:
    """The database is gone, or cannot take us now."""
    request.state.error = error
    return unavailable()
