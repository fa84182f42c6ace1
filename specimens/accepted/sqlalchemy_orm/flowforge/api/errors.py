"""Everything that can go wrong, in one envelope."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    500: "internal",
    503: "unavailable",
}
LONGEST_TEXT = 200


class ApiError(Exception):
    """An answer that is not the one that was hoped for."""

    def __init__(self, status: int, message: str, details: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details


def error_response(
    status: int,
    message: str,
    details: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    listed = [{"field": _printable(field), "message": _printable(text)} for field, text in details]
    error = {"code": CODES.get(status, "invalid_request"), "message": message, "details": listed}
    return JSONResponse({"data": None, "error": error}, status, headers)


async def on_api_error(_request: Request, error: ApiError) -> JSONResponse:
    return error_response(error.status, error.message, error.details)


async def on_validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
    details: dict[str, str] = {}
    for problem in error.errors():
        details.setdefault(_field(problem["loc"]), problem["msg"].removeprefix("Value error, "))
    return error_response(400, "The request is not valid.", [entry for entry in details.items() if entry[0]])


def _field(location: Sequence[Any]) -> str:
    """`payload.color` for ("body", "payload", "color", "str"): the rest are Pydantic's own steps."""
    return ".".join(str(part) for part in location[1:3])


def _printable(text: str) -> str:
    """Error messages repeat what the client sent, and that may hold half a surrogate pair."""
    return text[:LONGEST_TEXT].encode("utf-8", "replace").decode()
