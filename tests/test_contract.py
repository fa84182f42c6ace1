"""labkit.contract: which operation a request belongs to, and what an answer does wrong."""

from __future__ import annotations

import json

import pytest

from labkit import contract
from labkit.errors import LabError

ID = "0b6c3c1e-5d1f-4a53-9d0e-6f0a4f1c2d3b"
HEADERS = {"Content-Type": "application/json; charset=utf-8", "X-Request-Id": "abc"}
TASK = {
    "id": ID,
    "title": "Say hello",
    "description": "",
    "status": "pending",
    "priority": 0,
    "type": "noop",
    "payload": {"a": 1.5, "b": None},
    "result": None,
    "error": None,
    "attempts": 0,
    "assigned_worker": None,
    "request_id": "abc",
    "created_at": "2026-03-02T09:30:00.123456789Z",
    "updated_at": "2026-03-02T09:30:00+00:00",
}


def envelope(data: object, **more: object) -> bytes:
    return json.dumps({"data": data, "error": None, **more}).encode()


def failure(code: str) -> bytes:
    error = {"code": code, "message": "no", "details": [{"field": "title", "message": "is required"}]}
    return json.dumps({"data": None, "error": error}).encode()


def task_with(**changes: object) -> bytes:
    return envelope({**TASK, **changes})


def task_without(name: str) -> bytes:
    return envelope({key: value for key, value in TASK.items() if key != name})


def tasks_page(*tasks: object, **meta: object) -> bytes:
    return envelope(list(tasks), meta={"page": 1, "limit": 20, "total": 2, **meta})


@pytest.fixture(scope="module")
def the_contract() -> contract.Contract:
    return contract.load()


# --- operations ---


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/health", "getHealth"),
        ("get", "/tasks?page=1&limit=5", "listTasks"),
        ("POST", "/tasks", "createTask"),
        ("GET", f"/tasks/{ID}", "readTask"),
        ("PUT", "/tasks/not-a-uuid", "replaceTask"),
        ("DELETE", "/tasks/%2F", "deleteTask"),
        ("GET", "/openapi.json", "getDescription"),
        ("GET", "/openapiXjson", None),
        ("GET", "/tasks/", None),
        ("GET", "/tasks/a/b", None),
        ("GET", "/", None),
        ("PATCH", "/tasks", None),
    ],
)
def test_operation(the_contract, method, path, operation):
    found = the_contract.operation(method, path)
    assert (found.id if found else None) == operation


def test_paths(the_contract):
    assert the_contract.paths() == {
        "/health": {"GET"},
        "/info": {"GET"},
        "/openapi.json": {"GET"},
        "/tasks": {"GET", "POST"},
        "/tasks/{id}": {"GET", "PUT", "DELETE"},
    }


# --- answers as the contract wants them, in every reading of it ---


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "body"),
    [
        ("GET", "/health", 200, {}, envelope({"status": "ok", "database": "none"})),
        ("GET", "/health", 503, {}, failure("unavailable")),
        (
            "GET",
            "/info",
            200,
            {},
            envelope({"name": "flowforge", "version": "", "environment": "x", "more": 1}),
        ),
        ("GET", "/openapi.json", 200, {}, b'{"openapi": "3.0.3", "info": {}, "paths": {}}'),
        ("GET", "/tasks", 200, {}, tasks_page(TASK, TASK)),
        ("GET", "/tasks?page=0", 400, {}, failure("invalid_request")),
        ("POST", "/tasks", 201, {"Location": f"/tasks/{ID}"}, task_with()),
        ("POST", "/tasks", 201, {"location": f"http://localhost:8080/tasks/{ID}"}, task_with(more=1)),
        ("POST", "/tasks", 413, {}, failure("payload_too_large")),
        ("POST", "/tasks", 415, {}, failure("unsupported_media_type")),
        ("POST", "/tasks", 500, {}, failure("internal")),
        ("GET", f"/tasks/{ID}", 200, {}, task_with(id=ID.upper(), result={"a": 1}, request_id=None)),
        ("GET", f"/tasks/{ID}", 200, {}, task_with(priority=3.0, created_at="2026-03-02t09:30:00z")),
        ("GET", f"/tasks/{ID}", 404, {}, failure("not_found")),
        ("DELETE", f"/tasks/{ID}", 204, {}, b""),
        ("GET", "/nowhere", 404, {}, failure("not_found")),
        ("GET", "/tasks/", 404, {}, failure("not_found")),
        ("GET", "/docs", 200, {"Content-Type": "text/html"}, b"<html>"),  # a page of the project's own
        ("PATCH", "/tasks", 405, {"Allow": "get, POST, HEAD"}, failure("method_not_allowed")),
        ("HEAD", "/tasks", 405, {"Content-Type": "text/plain"}, b""),
        ("OPTIONS", "/tasks", 200, {"Content-Type": "text/plain"}, b"?"),
    ],
)
def test_right_answers(the_contract, method, path, status, headers, body):
    assert the_contract.violations(method, path, status, {**HEADERS, **headers}, body) == []


# --- answers that break it ---


@pytest.mark.parametrize(
    ("request_line", "status", "headers", "body", "where", "rule"),
    [
        ("GET /tasks", 422, {}, b"{}", "GET /tasks 422", "status"),
        ("GET /info", 404, {}, failure("not_found"), "GET /info 404", "status"),
        ("PATCH /tasks", 404, {}, failure("not_found"), "PATCH /tasks 404", "status"),
        ("GET /tasks/", 307, {}, b"", "GET (unknown path) 307", "status"),
        ("PATCH /tasks", 405, {}, failure("method_not_allowed"), "PATCH /tasks 405", "header"),
        ("PATCH /tasks", 405, {"Allow": "GET"}, failure("method_not_allowed"), "PATCH /tasks 405", "header"),
        ("POST /tasks", 201, {}, task_with(), "POST /tasks 201", "header"),
        ("POST /tasks", 201, {"Location": "not a URL"}, task_with(), "POST /tasks 201", "header"),
        ("GET /tasks/1", 200, {"X-Request-Id": "a b"}, task_with(), "GET /tasks/{id} 200", "header"),
        ("GET /info", 200, {"Content-Type": "text/html"}, b"{}", "GET /info 200", "content-type"),
        ("DELETE /tasks/1", 204, {}, b"null", "DELETE /tasks/{id} 204", "body"),
        ("GET /info", 200, {}, b"", "GET /info 200", "json"),
        ("GET /info", 200, {}, b'{"data": NaN}', "GET /info 200", "json"),
        ("GET /info", 200, {}, b'{"data": -Infinity}', "GET /info 200", "json"),
        ("GET /info", 200, {}, b'"\xff"', "GET /info 200", "json"),
        ("GET /info", 200, {}, '{"data": "é"}'.encode("utf-16"), "GET /info 200", "json"),
        ("GET /info", 200, {}, b'"\\ud800"', "GET /info 200", "json"),
        ("GET /info", 200, {}, b"[" * 300 + b"]" * 300, "GET /info 200", "json"),
        ("GET /info", 200, {}, b"[" * 100_000, "GET /info 200", "json"),
        ("GET /info", 200, {}, b"9" * 5_000, "GET /info 200", "json"),
        ("GET /info", 200, {}, b"[1e999]", "GET /info 200 $", "type"),
        ("GET /tasks/1", 404, {}, failure("internal"), "GET /tasks/{id} 404 $.error.code", "const"),
        ("GET /nowhere", 404, {}, failure("internal"), "GET (unknown path) 404 $.error.code", "const"),
        ("GET /nowhere", 404, {}, failure("missing"), "GET (unknown path) 404 $.error.code", "enum"),
        ("GET /tasks/1", 200, {}, task_without("title"), "GET /tasks/{id} 200 $.data.title", "required"),
        ("GET /tasks/1", 200, {}, task_with(id="7"), "GET /tasks/{id} 200 $.data.id", "format"),
        ("GET /tasks/1", 200, {}, task_with(status="new"), "GET /tasks/{id} 200 $.data.status", "enum"),
        ("GET /tasks/1", 200, {}, task_with(attempts=-1), "GET /tasks/{id} 200 $.data.attempts", "minimum"),
        (
            "GET /tasks/1",
            200,
            {},
            task_with(title="x" * 201),
            "GET /tasks/{id} 200 $.data.title",
            "maxLength",
        ),
        (
            "GET /tasks/1",
            200,
            {},
            task_with(request_id="é"),
            "GET /tasks/{id} 200 $.data.request_id",
            "pattern",
        ),
        ("GET /tasks/1", 200, {}, task_with(request_id=7), "GET /tasks/{id} 200 $.data.request_id", "anyOf"),
        (
            "GET /tasks/1",
            200,
            {},
            task_with(payload={"a": []}),
            "GET /tasks/{id} 200 $.data.payload.*",
            "anyOf",
        ),
        (
            "GET /tasks/1",
            200,
            {},
            task_with(payload={"é": 1}),
            "GET /tasks/{id} 200 $.data.payload",
            "propertyNames",
        ),
        (
            "GET /tasks/1",
            200,
            {},
            task_with(created_at="yesterday"),
            "GET /tasks/{id} 200 $.data.created_at",
            "format",
        ),
        (
            "GET /tasks/1",
            200,
            {},
            task_with(updated_at="2026-03-02T09:30:00+02:00"),
            "GET /tasks/{id} 200 $.data.updated_at",
            "pattern",
        ),
        (
            "GET /tasks",
            200,
            {},
            tasks_page(TASK, {**TASK, "title": 1}, {**TASK, "title": 2}),
            "GET /tasks 200 $.data[].title",
            "type",
        ),
        ("GET /tasks", 200, {}, tasks_page(TASK, total="2"), "GET /tasks 200 $.meta.total", "type"),
        ("GET /tasks", 200, {}, tasks_page(TASK, limit=True), "GET /tasks 200 $.meta.limit", "type"),
    ],
)
def test_wrong_answers(the_contract, request_line, status, headers, body, where, rule):
    method, path = request_line.split()
    found = the_contract.violations(method, path, status, {**HEADERS, **headers}, body)
    assert [(violation.where, violation.rule) for violation in found] == [(where, rule)]


def test_every_answer_needs_a_request_id(the_contract):
    bare = {"content-type": "application/json", "allow": "GET"}
    for method, path, status, body in [
        ("GET", "/info", 422, b""),
        ("GET", "/nowhere", 404, failure("not_found")),
        ("POST", "/info", 405, failure("method_not_allowed")),
        ("GET", "/openapi.json", 200, b'{"openapi": "3.1.0", "info": {}, "paths": {}}'),
        ("DELETE", f"/tasks/{ID}", 204, b""),
    ]:
        messages = [v.message for v in the_contract.violations(method, path, status, bare, body)]
        assert messages[-1] == "Expected the header X-Request-ID, saw no such header."


def test_one_answer_can_break_several_rules(the_contract):
    body = envelope({**TASK, "status": "new", "priority": "high"}, extra=1)
    found = the_contract.violations("GET", f"/tasks/{ID}", 200, {"Content-Type": "application/json"}, body)
    assert {violation.where for violation in found} == {
        "GET /tasks/{id} 200",
        "GET /tasks/{id} 200 $.data.status",
        "GET /tasks/{id} 200 $.data.priority",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (task_with(priority="high"), 'Expected data.priority to be an integer, saw "high".'),
        (task_with(priority=101), "Expected data.priority to be at most 100, saw 101."),
        (task_with(id="7"), 'Expected data.id to be a UUID, saw "7".'),
        (task_with(assigned_worker=7), "Expected data.assigned_worker to be null or a string, saw 7."),
        (
            task_with(status="new"),
            'Expected data.status to be one of "pending", "processing", "completed", "failed", saw "new".',
        ),
        (task_with(payload={"a b": 1}), 'saw "a b".'),
        (task_with(updated_at="2026-03-02T09:30:00+02:00"), "(A time in UTC, as RFC 3339 writes it)"),
        (task_with(title="x" * 1000), 'saw "' + "x" * 118 + "…."),
        (b"null", "Expected the body to be an object, saw null."),
    ],
)
def test_messages(the_contract, body, message):
    (violation,) = the_contract.violations("GET", f"/tasks/{ID}", 200, HEADERS, body)
    assert message in violation.message


# --- loading ---


def test_is_loaded_once(tmp_path):
    copy = tmp_path / "openapi.yaml"
    copy.write_bytes(contract.DEFAULT_PATH.read_bytes())
    assert contract.load(copy) is contract.load(copy)
    assert contract.load(copy) is not contract.load()
    assert contract.load() is contract.load(contract.DEFAULT_PATH)


@pytest.mark.parametrize("content", [None, b"paths: [", b"paths: 7", b"[]", b"", b"\xff"])
def test_a_contract_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "openapi.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LabError, match=r"openapi\.yaml"):
        contract.load(path)
