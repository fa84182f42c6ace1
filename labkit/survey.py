"""An ordinary walk through the whole contract: every operation, every kind of answer, each once.

What strays from openapi.yaml on this walk is known before the checks begin. The checks of the contract report
it; all others overlook it, so that one wrong field costs the points of one check and not of all.
"""

from __future__ import annotations

from labkit.contract import Violation
from labkit.evidence import CheckFailed, Journal, recording
from labkit.http import JSON, Client, Response

_NOBODY = "00000000-0000-4000-8000-000000000000"


def walk(client: Client) -> tuple[Violation, ...]:
    """Every violation on the walk, each identity once. A request that gets no answer is passed over."""
    with recording(Journal()) as journal:
        created = _try(client, "POST", "/tasks", json={"title": "survey", "payload": {"a": 1, "b": None}})
        _try(client, "GET", "/health")
        _try(client, "GET", "/info")
        _try(client, "GET", "/openapi.json")
        _try(client, "GET", "/tasks")
        _try(client, "GET", "/tasks?page=1&limit=5&status=pending")
        for query in ("page=0", "limit=101", "status=lost"):
            _try(client, "GET", f"/tasks?{query}")
        for body in (b"", b"{", b"[]", b'{"title": ""}', b'{"title": "x", "status": "completed"}'):
            _try(client, "POST", "/tasks", body=body)
        _try(client, "POST", "/tasks", body=b"title=x", content_type="text/plain")
        _try(client, "POST", "/tasks", body=b'{"title": "' + b"x" * 70_000 + b'"}')
        for path in (f"/tasks/{_NOBODY}", "/tasks/7"):
            for method in ("GET", "DELETE"):
                _try(client, method, path)
            _try(client, "PUT", path, json={"title": "survey"})
        _try(client, "GET", "/nowhere")
        _try(client, "PATCH", "/tasks")
        if created is not None and created.status == 201 and (place := _path(created)):
            _try(client, "GET", place)
            _try(client, "PUT", place, json={"title": "survey again"})
            _try(client, "PUT", place, json={"title": ""})
            _try(client, "PUT", place, body=b"title=x", content_type="text/plain")
            _try(client, "PATCH", place)
            _try(client, "DELETE", place)
    return tuple({(v.where, v.rule): v for v in journal.violations}.values())


def _try(
    client: Client,
    method: str,
    path: str,
    *,
    json: object = None,
    body: bytes | None = None,
    content_type: str = JSON,
) -> Response | None:
    try:
        return client.request(method, path, json=json, body=body, content_type=content_type)
    except CheckFailed:
        return None


def _path(created: Response) -> str | None:
    try:
        return f"/tasks/{created.task['id']}"
    except CheckFailed:
        return None
