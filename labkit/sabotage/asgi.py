"""The seam around an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from labkit.sabotage.exchange import Headers, Request, Response
from labkit.sabotage.seam import SEAM

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class AsgiLayer:
    """Stands in for the application that it is put around, in every respect but its answers over HTTP."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        conversation = SEAM.converse(await _request(scope, receive))
        request = next(conversation)
        crash: Exception | None = None
        try:
            while True:
                answer, raised = await _ask(self._app, scope, request, receive)
                crash = raised if crash is None else crash
                request = conversation.send(answer)
        except StopIteration as end:
            response: Response = end.value
        await send(
            {"type": "http.response.start", "status": response.status, "headers": _raw(response.headers)}
        )
        await send({"type": "http.response.body", "body": response.body})
        if crash is not None:  # the client has its answer; of the crash, its server learns
            raise crash


async def _request(scope: Message, receive: Receive) -> Request:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            break
    return Request(
        scope["method"],
        scope["path"],
        scope.get("query_string", b"").decode("latin-1"),
        _text(scope["headers"]),
        bytes(body),
    )


async def _ask(
    app: Application, scope: Message, request: Request, receive: Receive
) -> tuple[Response, Exception | None]:
    """The application's response, whole; and what it has raised after it, as Starlette does after its 500."""
    waiting = [{"type": "http.request", "body": request.body, "more_body": False}]
    start: Message = {"status": 500}
    body = bytearray()
    whole = False

    async def give() -> Message:
        return waiting.pop() if waiting else await receive()

    async def take(message: Message) -> None:
        nonlocal start, whole
        if message["type"] == "http.response.start":
            start = message
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))
            whole = not message.get("more_body", False)

    crash: Exception | None = None
    try:
        await app(_scope(scope, request), give, take)
    except Exception as raised:
        if not whole:
            raise
        crash = raised
    return Response(start["status"], _text(start.get("headers", ())), bytes(body)), crash


def _scope(scope: Message, request: Request) -> Message:
    """The scope of a request; as it came where the request is as it came."""
    path = {} if request.path == scope["path"] else {"raw_path": quote(request.path).encode()}
    return {
        **scope,
        **path,
        "method": request.method,
        "path": request.path,
        "query_string": request.query.encode("latin-1"),
        "headers": _raw(request.headers),
    }


def _text(raw: Any) -> Headers:
    return tuple(
        (bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1")) for name, value in raw
    )


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
