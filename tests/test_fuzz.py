"""labkit.fuzz: a service that keeps the contract has no findings, one that does not has, and says which."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema_rs
import pytest

from labkit import contract, fuzz, fuzz_report
from labkit.errors import LabError

CONFIG = contract.DEFAULT_PATH.with_name("schemathesis.toml")

ALLOWED = {
    "/health": ("GET",),
    "/info": ("GET",),
    "/openapi.json": ("GET",),
    "/tasks": ("GET", "POST"),
    "/tasks/{id}": ("GET", "PUT", "DELETE"),
}
CODES = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}
TASK_INPUT = jsonschema_rs.Draft202012Validator(
    {"$ref": "urn:contract#/components/schemas/TaskInput"},
    registry=jsonschema_rs.Registry([("urn:contract", contract.load().document)]),
)
DEFAULTS = {"description": "", "priority": 0, "type": "noop", "payload": {}}


class Refused(Exception):
    def __init__(self, status: int, **headers: str) -> None:
        self.status, self.headers = status, headers


class Service:
    """A whole lab 01 in memory, small because it checks its input against the contract's own schema."""

    def __init__(self, *defects: str) -> None:
        self.defects = defects
        self.tasks: dict[str, dict[str, object]] = {}

    def answer(self, method: str, target: str, media_type: str, body: bytes, request_id: str):
        """Status, extra headers, and the body's object (None: no body)."""
        try:
            return self.route(method, urlsplit(target), media_type, body, request_id)
        except Refused as refused:
            error = {"code": CODES[refused.status], "message": "no", "details": []}
            return refused.status, refused.headers, {"data": None, "error": error}

    def route(self, method, url, media_type, body, request_id):
        path = unquote(url.path)
        template = "/tasks/{id}" if re.fullmatch(r"/tasks/[^/]+", path, re.DOTALL) else path
        if template not in ALLOWED:
            raise Refused(404)
        if method not in ALLOWED[template]:
            raise Refused(405, Allow=", ".join(ALLOWED[template]))
        if method in ("POST", "PUT") and media_type.partition(";")[0].strip() != "application/json":
            raise Refused(415)
        match template:
            case "/health":
                return 200, {}, envelope({"status": "ok", "database": "none"})
            case "/info":
                return 200, {}, envelope({"name": "flowforge", "version": "1", "environment": "test"})
            case "/openapi.json":
                return 200, {}, contract.load().document
            case "/tasks" if method == "GET":
                return self.page(dict(parse_qsl(url.query, keep_blank_values=True)))
            case "/tasks":
                return self.create(body, request_id)
        return self.one(method, path.removeprefix("/tasks/").lower(), body)

    def page(self, query):
        page, limit = number(query, "page", 1, 100_000), number(query, "limit", 20, 100)
        status = query.get("status", "pending")
        if "crash" in self.defects and status not in ("pending", "processing", "completed", "failed"):
            raise KeyError(status)
        if status not in ("pending", "processing", "completed", "failed"):
            raise Refused(400)
        found = list(self.tasks.values()) if status == "pending" else []
        meta = {"page": page, "limit": limit, "total": len(found)}
        return 200, {}, envelope(found[(page - 1) * limit : page * limit], meta=meta)

    def create(self, body, request_id):
        given, now = self.given(body), datetime.now(UTC).isoformat()
        task = {"id": str(uuid.uuid4()), **given, "status": "pending", "result": None, "error": None}
        task |= {"attempts": 0, "assigned_worker": None, "request_id": request_id}
        task |= {"created_at": now, "updated_at": now}
        self.tasks[task["id"]] = task
        return 201, {"Location": f"/tasks/{task['id']}"}, envelope(task)

    def one(self, method, key, body):
        if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key):
            raise Refused(400)
        given = self.given(body) if method == "PUT" else {}
        if key not in self.tasks:
            raise Refused(404)
        if method == "DELETE":
            if "keep" not in self.defects:
                del self.tasks[key]
            return 204, {}, None
        if method == "PUT":
            self.tasks[key] = {**self.tasks[key], **given, "updated_at": datetime.now(UTC).isoformat()}
        return 200, {}, envelope(self.tasks[key])

    def given(self, body):
        try:
            task = json.loads(body.decode(), parse_constant=float)
        except (ValueError, RecursionError):
            raise Refused(400) from None
        sound = task
        if "priority" in self.defects and isinstance(task, dict):
            sound = {**task, "priority": 0}
        if not TASK_INPUT.is_valid(sound):
            raise Refused(400)
        return {**DEFAULTS, **task}


def envelope(data: object, **more: object) -> dict[str, object]:
    return {"data": data, "error": None, **more}


def number(query: dict[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        raise Refused(400)
    return int(text)


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """The service on a free port; its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str):
            return self.handle_any if name.startswith("do_") else super().__getattribute__(name)

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = self.headers.get("X-Request-ID", "")
            name = name if re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name) else str(uuid.uuid4())
            media_type = self.headers.get("Content-Type", "")
            try:
                status, headers, answer = service.answer(self.command, self.path, media_type, body, name)
            except KeyError:
                error = {"code": "internal", "message": "no", "details": []}
                status, headers, answer = 500, {}, {"data": None, "error": error}
            content = b"" if answer is None else json.dumps(answer).encode()
            headers = {**headers, "X-Request-ID": name, "Content-Length": str(len(content))}
            if answer is not None:
                headers["Content-Type"] = "application/json"
            head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
            self.wfile.write(f"HTTP/1.1 {status} -\r\n{head}\r\n".encode() + content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(url: str, phase: fuzz.Phase, **changes) -> fuzz.FuzzResult:
    settings = {
        "seed": 7,
        "config": CONFIG,
        "contract": contract.DEFAULT_PATH,
        "timeout": 120,
        "shown_url": url,
    }
    return fuzz.run_fuzz(url, phase=phase, **{**settings, **changes})


def test_a_right_service_has_no_findings():
    def fuzz_one(phase: fuzz.Phase) -> fuzz.FuzzResult:
        with serving(Service()) as url:
            return run(url, phase)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(fuzz_one, ["coverage", "fuzzing", "stateful"]))
    assert [result.findings for result in results] == [(), (), ()]
    assert all(result.cases > 50 for result in results)


def test_a_wrong_service_has_findings_and_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    service = Service("crash", "priority")
    with serving(service) as url:
        result = run(url, "coverage")
        found = {(finding.code, finding.operation) for finding in result.findings}
        accepted = next(finding for finding in result.findings if finding.code == "ST201")
        if shutil.which("curl"):
            before = len(service.tasks)
            done = subprocess.run(["bash", "-c", accepted.curl], capture_output=True, text=True, check=True)
            assert done.stdout.startswith("HTTP/1.1 201 ")
            assert len(service.tasks) == before + 1
    assert {("ST101", "GET /tasks"), ("ST201", "POST /tasks"), ("ST201", "PUT /tasks/{id}")} <= found
    assert accepted.title == "Schema-violating request accepted"
    assert "priority" in accepted.explanation
    assert "\n" not in accepted.explanation + accepted.curl
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_task_that_stays():
    with serving(Service("keep")) as url:
        (finding,) = run(url, "stateful").findings
        if shutil.which("curl"):
            done = subprocess.run(["bash", "-c", finding.curl], capture_output=True, text=True, check=True)
            assert done.stdout.startswith("HTTP/1.1 200 ")
    assert finding.code == "ST301"
    assert finding.curl.count("curl ") >= 3  # create, delete, read


def test_a_fuzzer_that_cannot_start(tmp_path):
    config = tmp_path / "schemathesis.toml"
    config.write_text("sead = 7\n")
    with pytest.raises(LabError, match="sead"):
        run("http://127.0.0.1:9", "coverage", config=config)


def test_a_fuzzer_that_is_not_done_in_time():
    with serving(Service()) as url, pytest.raises(LabError, match="not done after 0 s"):
        run(url, "coverage", timeout=0.2)


# --- reading reports ---


def scenario(*steps: dict[str, object], phase: str = "coverage") -> dict[str, object]:
    """A recorded scenario of steps made by `step`."""
    recorder = {
        key: {str(number): step[key] for number, step in enumerate(steps) if step.get(key)}
        for key in ("cases", "interactions", "checks")
    }
    return {"ScenarioFinished": {"phase": phase, "recorder": recorder}}


def step(method, path, status, *failures, body=None, answer=b"{}", location=None):
    request = {"method": method, "uri": f"http://127.0.0.1:1{path}", "headers": {}}
    if body:
        request |= {"body": base64_of(body), "headers": {"Content-Type": ["application/json"]}}
    interaction = {"request": request}
    if status:
        headers = {"location": [location]} if location else {}
        interaction["response"] = {"status_code": status, "headers": headers, "content": base64_of(answer)}
    checks = [{"status": "failure", "failure_info": {"failure": failure}} for failure in failures]
    return {"cases": {"value": {"path": path}}, "interactions": interaction, "checks": checks}


def base64_of(data: bytes) -> dict[str, str]:
    return {"$base64": base64.b64encode(data).decode()}


def failure(code: str, message: str = "", operation: str = "GET /tasks") -> dict[str, str]:
    return {"code": code, "title": f"Title of {code}", "message": message, "operation": operation}


def read(tmp_path: Path, *events: dict[str, object], tail: str = "") -> fuzz_report.Report:
    path = tmp_path / "report.ndjson"
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + tail)
    return fuzz_report.read(path, "http://here")


def test_one_finding_for_each_code_and_operation(tmp_path):
    report = read(
        tmp_path,
        scenario(
            step("GET", "/tasks?page=100000&limit=1", 200, failure("ST108", '"a" is required\n\nSchema: …')),
            step(
                "GET",
                "/tasks",
                200,
                failure("ST108", '"b" is required'),
                failure("ST107", "no\n- `X-Request-ID`"),
            ),
        ),
        scenario(step("GET", "/info", 500, failure("ST101", operation="GET /info"))),
        {"EngineFinished": {}},
    )
    assert report.complete
    assert report.cases == 3
    assert [(f.code, f.operation) for f in report.findings] == [
        ("ST101", "GET /info"),
        ("ST108", "GET /tasks"),
        ("ST107", "GET /tasks"),
    ]
    shape = report.findings[1]
    assert shape.curl == "curl -i http://here/tasks"
    assert 'Here: "a" is required; "b" is required. The answer was 200 {}' in shape.explanation
    assert "no `X-Request-ID`" in report.findings[2].explanation


def test_a_report_that_was_cut_short(tmp_path):
    report = read(tmp_path, scenario(step("GET", "/tasks", 200, failure("ST108"))), tail='{"ScenarioFini')
    assert not report.complete
    assert len(report.findings) == 1
    nothing = fuzz_report.Report(cases=0, findings=(), complete=False, problems=())
    assert fuzz_report.read(tmp_path / "missing", "http://here") == nothing


def test_silence_is_a_finding_and_the_fuzzers_own_errors_are_not(tmp_path):
    silent = {"type": "ReadTimeout", "message": "…"}
    broken = {"type": "RecursionError", "message": "too\ndeep"}
    report = read(
        tmp_path,
        {"NonFatalError": {"label": "GET /tasks", "value": silent}},
        scenario(step("GET", "/tasks", None)),
        {"NonFatalError": {"label": "Stateful tests", "value": silent}},
        {"NonFatalError": {"label": "GET /info", "value": broken}},
    )
    (finding,) = report.findings
    assert (finding.code, finding.operation) == (fuzz_report.NO_ANSWER, "GET /tasks")
    assert "it took too long" in finding.explanation
    assert finding.curl == "curl -i http://here/tasks"
    assert report.problems == ("GET /info: too deep",)


def test_a_line_creates_the_task_that_it_needs(tmp_path):
    task = f"/tasks/{uuid.uuid4()}"
    steps = (
        step("POST", "/tasks", 201, body=b'{"title": "x"}', location=f"http://127.0.0.1:1{task}"),
        step("PUT", task, 200, body=b'{"title": "y"}'),
        step("PUT", task, 400, body=b"{}"),
        step("GET", f"{task}?a=%5B", 200, failure("ST108")),
    )
    created = (
        "id=$(curl -s -D - -o /dev/null -X POST http://here/tasks -H 'Content-Type: application/json'"
        " --data-binary '{\"title\": \"x\"}' | grep -i ^location: | grep -oE '[0-9A-Fa-f-]{36}'); "
    )
    changed = (
        "curl -s -o /dev/null -X PUT http://here/tasks/\"$id\" -H 'Content-Type: application/json'"
        ' --data-binary \'{"title": "y"}\'; '
    )
    (finding,) = read(tmp_path, scenario(*steps)).findings
    assert finding.curl == created + "curl -i 'http://here/tasks/'\"$id\"'?a=%5B'"
    (finding,) = read(tmp_path, scenario(*steps, phase="stateful")).findings
    assert finding.curl == created + changed + "curl -i 'http://here/tasks/'\"$id\"'?a=%5B'"
