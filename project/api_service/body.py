"""How a JSON body is read: size first, then media type, then JSON as RFC 8259 has it and no more."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

MAX_BODY_BYTES = 65_536
DISCARD_S = 0.5

# No double has as many digits before the point.
MAX_INTEGER_DIGITS = 400


class Route(APIRoute):
    """FastAPI's route, with our reading of bodies and paths."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JSONRequest(request.scope, request.receive))

        return handle_json

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # The framework's pattern ends in "$", which also matches before a newline, as in "/tasks%0A".
        if not self.path_regex.fullmatch(scope["path"]):
            return Match.NONE, {}
        return super().matches(scope)


class JSONRequest(Request):
    """A request whose `body()` and `json()` refuse what we do not take."""

    async def body(self) -> bytes:
        body = bytearray()
        stream = self.stream()
        async for chunk in stream:
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                await discard(stream)
                raise HTTPException(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise HTTPException(415, "The body must be declared as application/json.")
        self._body = bytes(body)
        return self._body

    async def json(self) -> Any:
        try:
            return json.loads(
                self._body.decode("utf-8"), parse_int=parse_integer, parse_constant=refuse_constant
            )
        except (ValueError, RecursionError):
            raise HTTPException(400, "The body is not valid JSON.") from None


async def discard(stream: AsyncIterator[bytes]) -> None:
    """Reads on for a moment: a client that sends all before it listens would find the connection reset."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_S):
            async for _ in stream:
                pass


def parse_integer(digits: str) -> int | float:
    """int() gives up on thousands of digits; as a double they are infinite, which the fields refuse."""
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else float(digits)


def refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are JavaScript's, not JSON's."""
    raise ValueError(name)
