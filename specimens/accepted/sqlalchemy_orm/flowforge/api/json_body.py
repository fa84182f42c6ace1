"""Bodies, read with the contract's eyes: size, then media type, then JSON."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from flowforge.api.errors import ApiError

LARGEST_BODY = 65_536


class JsonRequest(Request):
    """A request whose body is at most LARGEST_BODY bytes of strict JSON."""

    async def body(self) -> bytes:
        """The whole body. A large one is read to its end, or the client could not hear the answer."""
        if not hasattr(self, "_whole"):
            chunks: list[bytes] = []
            size = 0
            async for chunk in self.stream():
                size += len(chunk)
                if size <= LARGEST_BODY:
                    chunks.append(chunk)
            if size > LARGEST_BODY:
                raise ApiError(413, f"The body is larger than {LARGEST_BODY} bytes.")
            self._whole = b"".join(chunks)
        return self._whole

    async def json(self) -> Any:
        if not hasattr(self, "_parsed"):
            self._parsed = parse(await self.body())
        return self._parsed


class JsonRoute(APIRoute):
    """Checks a body's size and media type before anything else of the request is looked at."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_body(request: Request) -> Response:
            request = JsonRequest(request.scope, request.receive)
            await request.body()
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                raise ApiError(415, "The body must be declared as application/json.")
            await request.json()
            return await handle(request)

        return handle_body


def parse(body: bytes) -> Any:
    """The value of a JSON text in UTF-8; ApiError if it is none, or a number in it is no finite double."""
    try:
        return json.loads(
            body.decode("utf-8"), parse_int=_integer, parse_float=_number, parse_constant=_no_number
        )
    except RecursionError:
        raise ApiError(400, "The body is nested too deeply.") from None
    except ValueError:
        raise ApiError(400, "The body is not valid JSON.") from None


def _integer(text: str) -> int:
    _number(text)
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large")
    return number


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
