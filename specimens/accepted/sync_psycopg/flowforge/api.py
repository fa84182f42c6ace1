"""The routes."""

import json
import logging
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import yaml
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from flowforge import VERSION, logs, tasks, validation
from flowforge.pool import Pool, Unavailable
from flowforge.settings import Settings

log = logging.getLogger("flowforge.api")
LARGEST_BODY = 65_536
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def create_app(settings: Settings, pool: Pool) -> Flask:
    app = Flask("flowforge", static_folder=None)
    app.url_map.merge_slashes = False
    # One byte more than is allowed: Werkzeug refuses a chunked body as soon as it reaches the limit.
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY + 1
    with open("openapi.yaml", encoding="utf-8") as file:
        description = yaml.safe_load(file)

    @app.get("/health")
    def health() -> Response:
        pool.ping()
        return answer({"status": "ok", "database": "up"})

    @app.get("/info")
    def info() -> Response:
        return answer({"name": "flowforge", "version": VERSION, "environment": settings.environment})

    @app.get("/openapi.json")
    def openapi() -> Response:
        return as_json(description)

    @app.get("/tasks")
    def list_tasks() -> Response:
        page, limit, status = validation.list_query(request.args)
        with pool.connection() as connection:
            total = tasks.count(connection, status)
            rows = tasks.page(connection, status, page, limit)
        return answer(rows, meta={"page": page, "limit": limit, "total": total})

    @app.post("/tasks")
    def create_task() -> Response:
        fields = validation.task_input(read_body())
        here = request.base_url
        with pool.connection() as connection:
            task = tasks.add(connection, fields, g.request_id)
        response = answer(task, 201)
        response.headers["Location"] = f"{here}/{task['id']}"
        return response

    @app.get("/tasks/<task_id>")
    def read_task(task_id: str) -> Response:
        known = validation.task_id(task_id)
        with pool.connection() as connection:
            return answer(found(tasks.get(connection, known)))

    @app.put("/tasks/<task_id>")
    def replace_task(task_id: str) -> Response:
        body = read_body()
        known = validation.task_id(task_id)
        fields = validation.task_input(body)
        with pool.connection() as connection:
            return answer(found(tasks.replace(connection, known, fields)))

    @app.delete("/tasks/<task_id>")
    def delete_task(task_id: str) -> Response:
        known = validation.task_id(task_id)
        with pool.connection() as connection:
            found(tasks.remove(connection, known) or None)
        return Response(status=204)

    app.before_request(begin)
    app.after_request(end)
    app.register_error_handler(Exception, explain)
    return app


def begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    logs.bind(request_id=g.request_id)
    g.started = time.perf_counter()
    g.error = None


def end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    fields = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - g.started) * 1000, 3),
    }
    if response.status_code < 500:
        log.info("request", extra={"fields": fields})
    else:
        trace = g.error if response.status_code == 500 else None
        log.error("request", exc_info=trace, extra={"fields": fields | {"error": logs.reason(g.error)}})
    return response


def read_body() -> Any:
    body = request.get_data()
    if len(body) > LARGEST_BODY:
        raise too_large()
    if request.mimetype != "application/json":
        raise Refused(415, "unsupported_media_type", "Declare the body as application/json.")
    return validation.parse_body(body)


def found(thing: Any) -> Any:
    if thing is None:
        raise Refused(404, "not_found", "There is no such task.")
    return thing


def too_large() -> Refused:
    return Refused(413, "payload_too_large", f"A body may have {LARGEST_BODY} bytes.")


def explain(error: Exception) -> Response:
    """The answer to whatever went wrong."""
    g.error = error
    match error:
        case validation.Invalid():
            return failure(400, "invalid_request", error.message, error.problems)
        case Refused():
            return failure(error.status, error.code, error.message)
        case Unavailable():
            return failure(503, "unavailable", "The database cannot be reached. Try again later.")
        case HTTPException(code=404):
            return failure(404, "not_found", "There is no such path.")
        case HTTPException(code=405):
            response = failure(405, "method_not_allowed", f"The path does not know {request.method}.")
            response.headers["Allow"] = dict(error.get_headers())["Allow"]
            return response
        case HTTPException(code=413):
            return failure(413, "payload_too_large", too_large().message)
        case HTTPException(code=code) if code is not None and code < 500:
            return failure(400, "invalid_request", "The request is not valid.")
        case _:
            return failure(500, "internal", "Something went wrong on our side.")


def failure(status: int, code: str, message: str, problems: dict[str, str] | None = None) -> Response:
    details = [{"field": field, "message": text} for field, text in (problems or {}).items()]
    error = {"code": code, "message": message, "details": details}
    return as_json({"data": None, "error": error}, status)


def answer(data: Any, status: int = 200, **more: Any) -> Response:
    return as_json({"data": data, "error": None, **more}, status)


def as_json(value: Any, status: int = 200) -> Response:
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    return Response(text, status, content_type="application/json")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):  # in whatever zone the server's session is
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value)
