"""An HTTP request and its response as plain values: what a saboteur is given, and may change."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

Headers = tuple[tuple[str, str], ...]
"""Names in lower case, in their order."""

Resource = Literal["health", "info", "openapi", "tasks", "task", "other"]

_TASK = re.compile(r"/tasks/([^/]+)")
_FIXED: dict[str, Resource] = {
    "/health": "health",
    "/info": "info",
    "/openapi.json": "openapi",
    "/tasks": "tasks",
}


@dataclass(frozen=True)
class Request:
    """A request; `path` is decoded and without the query."""

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""

    @property
    def resource(self) -> Resource:
        """What of the contract it asks for."""
        return "task" if _TASK.fullmatch(self.path) else _FIXED.get(self.path, "other")

    @property
    def task_id(self) -> str:
        """The {id} of /tasks/{id}."""
        match = _TASK.fullmatch(self.path)
        return match[1] if match else ""

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters; of a repeated one, the last."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)

    def with_parameters(self, **changes: str | None) -> Request:
        """The same with other parameters; None takes one out."""
        changed = {**self.parameters, **changes}
        return replace(self, query=urlencode({k: v for k, v in changed.items() if v is not None}))

    def json(self) -> dict[str, Any] | None:
        """The body, if it is a JSON object."""
        return _object(self.body)

    def with_json(self, body: object) -> Request:
        return replace(self, **_rewritten(self.headers, body))


@dataclass(frozen=True)
class Response:
    """A response, whole."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def json(self) -> dict[str, Any] | None:
        """The body, if it is a JSON object."""
        return _object(self.body)

    def with_json(self, body: object) -> Response:
        return replace(self, **_rewritten(self.headers, body))

    def without(self, name: str) -> Response:
        return replace(self, headers=tuple(header for header in self.headers if header[0] != name))

    def with_header(self, name: str, value: str) -> Response:
        return replace(self, headers=(*self.without(name).headers, (name, value)))


Conversation = Generator[Request, Response, Response]
"""Yields requests to the application, is sent its responses, and returns what the client gets."""


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _rewritten(headers: Headers, body: object) -> dict[str, Any]:
    """The two fields of a message whose body is now `body` as JSON."""
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    kept = tuple(header for header in headers if header[0] not in ("content-length", "content-type"))
    typed = (("content-type", "application/json"), ("content-length", str(len(content))))
    return {"headers": (*kept, *typed), "body": content}
