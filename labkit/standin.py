"""A stand-in for the API, whose latency and share of errors are set; and a listener that never answers."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MOST_BODY_BYTES = 65_536
_TASK = {
    "id": "00000000-0000-4000-8000-000000000000",
    "title": "a task",
    "description": "",
    "status": "pending",
    "priority": 0,
    "type": "noop",
    "payload": {},
    "result": None,
    "error": None,
    "attempts": 0,
    "assigned_worker": None,
    "request_id": None,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}


@dataclass
class StandIn:
    """A service that answers GET /health and POST /tasks in the contract's form, and counts."""

    port: int = 0
    health: int = 200
    """The status of GET /health."""
    latency_s: Callable[[int], float] = lambda number: 0.0
    """The number of a POST, from 0 → how long its answer takes, in seconds."""
    status: Callable[[int], int] = lambda number: 201
    """The number of a POST, from 0 → the status of its answer."""
    together: int = 1
    """The first POSTs wait until so many are there at the same time."""
    patience_s: float = 3.0
    """How long they wait at most, all of them together."""
    posts: int = 0
    refused: list[str] = field(default_factory=list)
    """What was wrong with POSTs that the real API would have refused."""
    most_at_once: int = 0
    _at_once: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables that lead here."""
        return {"API_HOST": "127.0.0.1", "API_PORT": str(self.port)}

    def _answer_post(self, problem: str) -> tuple[int, Any]:
        with self._changed:
            number = self.posts
            self.posts += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self.most_at_once >= self.together, self.patience_s):
                self.together = 1  # more will not come: nobody waits any longer
        try:
            time.sleep(self.latency_s(number))
        finally:
            with self._changed:
                self._at_once -= 1
        if problem:
            self.refused.append(problem)
            return 400, _error("invalid_request", problem)
        status = self.status(number)
        return (
            (201, {"data": _TASK, "error": None}) if status == 201 else (status, _error("unavailable", "no"))
        )


@contextmanager
def serving(stand_in: StandIn) -> Iterator[StandIn]:
    """Serve on a free port of 127.0.0.1 for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # an answer goes out as one packet

        def do_GET(self) -> None:
            if self.path == "/health":
                up = stand_in.health == 200
                data = {"data": {"status": "ok", "database": "up"}, "error": None}
                self._send(stand_in.health, data if up else _error("unavailable", "no"))
            else:
                self._send(404, _error("not_found", "no such path"))

        def do_POST(self) -> None:
            body = self._body()
            if self.path != "/tasks":
                self._send(404, _error("not_found", "no such path"))
                return
            kind = self.headers.get("Content-Type", "")
            self._send(*stand_in._answer_post(_problem(kind, body)))

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
                length = self.headers.get("Content-Length", "0")
                return self.rfile.read(min(int(length), _MOST_BODY_BYTES) if length.isdigit() else 0)
            body = b""
            while (size := int(self.rfile.readline(20).split(b";")[0] or b"0", 16)) and len(
                body
            ) < _MOST_BODY_BYTES:
                body += self.rfile.read(min(size, _MOST_BODY_BYTES))
                self.rfile.readline(20)
            self.rfile.readline(20)
            return body

        def _send(self, status: int, envelope: Any) -> None:
            content = json.dumps(envelope).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Request-ID", "stand-in")
            if status == 201:
                self.send_header("Location", f"/tasks/{_TASK['id']}")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None: ...

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None: ...

    with Quiet(("127.0.0.1", 0), Handler) as server:
        stand_in.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent_listener() -> Iterator[int]:
    """The port of a listener on 127.0.0.1 that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield int(listener.getsockname()[1])
        listener.setblocking(False)
        with suppress(OSError):
            while True:
                listener.accept()[0].close()


def _problem(content_type: str, body: bytes) -> str:
    """What the contract would not let pass in a POST /tasks, as far as it is looked at; mostly nothing."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return f"its media type is {content_type!r}"
    try:
        task = json.loads(body)
    except (ValueError, RecursionError):
        return "its body is no JSON"
    if not isinstance(task, dict) or not isinstance(task.get("title"), str) or not task["title"].strip():
        return "its body has no title"
    unknown = sorted(task.keys() - {"title", "description", "priority", "type", "payload"})
    return f"its body has the unknown field {unknown[0]!r}" if unknown else ""


def _error(code: str, message: str) -> dict[str, Any]:
    return {"data": None, "error": {"code": code, "message": message, "details": []}}
