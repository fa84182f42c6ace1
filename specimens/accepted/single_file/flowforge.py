"""FlowForge's API in one file: standard library only, a thread per connection, tasks in memory."""

import bisect
import contextlib
import http
import json
import math
import os
import re
import secrets
import selectors
import signal
import socket
import socketserver
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

VERSION = "1.0.0"
LARGEST_BODY = 65_536  # bytes
STATUSES = ["pending", "processing", "completed", "failed"]
LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40}

Json = dict[str, Any]


# ---------------------------------------------------------------------------------------------- configuration


class Settings(NamedTuple):
    family: socket.AddressFamily
    address: Any
    shutdown_timeout: float  # seconds
    environment: str
    log_level: str
    log_format: str


def read_settings(environ: Mapping[str, str]) -> tuple[Settings | None, list[str]]:
    """The settings, or a line for every variable that is wrong."""
    wrong = []

    def get(name: str, default: str, pattern: str, rule: str) -> str:
        value = environ.get(name) or default
        if re.fullmatch(pattern, value, re.ASCII | re.DOTALL):
            return value
        wrong.append(f"{name} must be {rule}")
        return default

    host = get("API_HOST", "127.0.0.1", r"[A-Za-z0-9._:%-]{1,255}", "an address or a host name")
    port = get("API_PORT", "8080", r"[0-9]{1,5}", "a whole number from 1 to 65535")
    patience = get("SHUTDOWN_TIMEOUT", "10s", r"[0-9]+(ms|s|m)", "a whole number with ms, s or m, as in 10s")
    environment = get("ENVIRONMENT", "development", "[^\ud800-\udfff]+", "text in UTF-8")
    level = get("LOG_LEVEL", "info", "debug|info|warn|error", "debug, info, warn or error")
    form = get("LOG_FORMAT", "json", "json|pretty", "json or pretty")

    if not 1 <= int(port) <= 65535:
        wrong.append("API_PORT must be a whole number from 1 to 65535")
    where = None
    if not any(line.startswith("API_HOST") for line in wrong):
        where = look_up(host, min(int(port), 65535))
        if where is None:
            wrong.append("API_HOST must be an address of this machine or a name that leads to one")
    if wrong or where is None:
        return None, wrong
    return Settings(*where, seconds(patience), environment, level, form), []


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"([0-9]+)(ms|s|m)", duration).groups()  # type: ignore[union-attr]
    return min(float(number) * {"ms": 0.001, "s": 1, "m": 60}[unit], 86_400)  # a day is for ever


def look_up(host: str, port: int) -> tuple[socket.AddressFamily, Any] | None:
    """Address family and address to listen on; None if there is none within three seconds."""
    found: list[Any] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(3)
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return (found[0][0], found[0][4]) if found else None


# ------------------------------------------------------------------------------------------------------- logs


class Log:
    """Writes lines to stdout, whole ones, from any thread."""

    def __init__(self, level: str, form: str) -> None:
        self.least = LEVELS[level]
        self.form = form
        self.lock = threading.Lock()

    def __call__(self, level: str, msg: str, **fields: Any) -> None:
        if LEVELS[level] < self.least:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        name = "warning" if level == "warn" else level
        if level == "error":
            fields.setdefault("error", msg)
        if self.form == "json":
            line = json.dumps(
                {"timestamp": now, "level": name, "msg": msg, "service": "api-service", **fields}
            )
        else:
            line = f"{now} {name:7} {msg} " + " ".join(f"{key}={value!r}" for key, value in fields.items())
        data = (line + "\n").encode()
        with self.lock:
            # not sys.stdout: a thread that is cut off at exit must not hold its buffer's lock
            while data:
                data = data[os.write(1, data) :]


# ------------------------------------------------------------------------------------------------------ tasks


class Store:
    """All tasks, and their order, for any number of threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tasks: dict[str, Json] = {}
        self.order: list[tuple[int, str]] = []  # (created, id)
        self.times: dict[str, tuple[int, int]] = {}  # id: (created, updated), milliseconds

    def create(self, fields: Json, request_id: str) -> Json:
        now = time.time_ns() // 1_000_000
        task_id = new_id(now)
        task = {
            "id": task_id,
            **fields,
            "status": "pending",
            "result": None,
            "error": None,
            "attempts": 0,
            "assigned_worker": None,
            "request_id": request_id,
            "created_at": rfc3339(now),
            "updated_at": rfc3339(now),
        }
        with self.lock:
            self.tasks[task_id] = task
            self.times[task_id] = now, now
            bisect.insort(self.order, (now, task_id))
        return task

    def read(self, task_id: str) -> Json | None:
        with self.lock:
            return self.tasks.get(task_id)

    def replace(self, task_id: str, fields: Json) -> Json | None:
        with self.lock:
            if task_id not in self.tasks:
                return None
            created, updated = self.times[task_id]
            updated = max(time.time_ns() // 1_000_000, updated + 1)  # later, whatever the clock says
            self.times[task_id] = created, updated
            # a new dict: another thread may be writing the old one to its client
            self.tasks[task_id] = self.tasks[task_id] | fields | {"updated_at": rfc3339(updated)}
            return self.tasks[task_id]

    def delete(self, task_id: str) -> bool:
        with self.lock:
            if self.tasks.pop(task_id, None) is None:
                return False
            created, _ = self.times.pop(task_id)
            del self.order[bisect.bisect_left(self.order, (created, task_id))]
            return True

    def page(self, page: int, limit: int, status: str | None) -> tuple[list[Json], int]:
        with self.lock:
            tasks = [self.tasks[task_id] for _, task_id in self.order]
        if status is not None:
            tasks = [task for task in tasks if task["status"] == status]
        return tasks[(page - 1) * limit : page * limit], len(tasks)


def new_id(milliseconds: int) -> str:
    """A UUID of version 7: the time first, chance after it."""
    chance = secrets.randbits(74)
    value = milliseconds << 80 | 7 << 76 | (chance >> 62) << 64 | 2 << 62 | chance & (1 << 62) - 1
    return str(uuid.UUID(int=value))


def rfc3339(milliseconds: int) -> str:
    whole = datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{milliseconds % 1000:03}Z"


# ------------------------------------------------------------------------------------------------- validation


class Refused(Exception):
    """A request that gets an error instead of what it asked for."""

    def __init__(
        self,
        status: int,
        message: str,
        faults: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.faults = faults or {}
        self.headers = dict(headers or {})


UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
# the code points of Unicode's White_Space property
WHITE_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*")
UNFIT = re.compile("[\x00\ud800-\udfff]")


def parse(raw: bytes) -> Any:
    """JSON without Python's additions to it."""

    def no_constant(name: str) -> Any:
        raise ValueError(name)

    try:
        # numbers of more digits than int() takes are outside every range here: as floats they are infinite
        return json.loads(
            raw.decode("utf-8-sig"),
            parse_int=lambda text: int(text) if len(text) < 320 else float(text),
            parse_constant=no_constant,
        )
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None


def fields_of(raw: bytes) -> Json:
    """The five fields of a task as the body sets them, defaults filled in."""
    body = parse(raw)
    if not isinstance(body, dict):
        raise Refused(400, "The body is not a JSON object.")
    fields: Json = {"title": None, "description": "", "priority": 0, "type": "noop", "payload": {}}
    faults = {}
    for name in list(body)[:100]:  # nobody reads further
        if name not in fields:
            faults[UNFIT.sub("?", name)[:80]] = "is not a field that you can set"
    for name in fields:
        if name in body:
            fields[name] = body[name]
            if fault := FAULT_IN[name](body[name]):
                faults[name] = fault
        elif name == "title":
            faults[name] = "is missing"
    if faults:
        raise Refused(400, "The task is not valid.", faults)
    fields["priority"] = int(fields["priority"])
    return fields


def fault_in_text(value: Any, longest: int) -> str | None:
    if not isinstance(value, str):
        return "is not a string"
    if len(value) > longest:
        return f"is longer than {longest}"
    if UNFIT.search(value):
        return "holds U+0000 or half a surrogate pair"
    return None


def fault_in_title(value: Any) -> str | None:
    return fault_in_text(value, 200) or ("is blank" if WHITE_SPACE.fullmatch(value) else None)


def fault_in_priority(value: Any) -> str | None:
    if isinstance(value, float):
        whole = value.is_integer()
    else:
        whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole:
        return "is not an integer"
    return None if -100 <= value <= 100 else "is not within -100 and 100"


def fault_in_type(value: Any) -> str | None:
    if isinstance(value, str) and re.fullmatch("[a-z][a-z0-9_]{0,49}", value):
        return None
    return "is not a name of lower-case letters, digits and underscores"


def fault_in_payload(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "is not an object"
    if len(value) > 50:
        return "has more than 50 entries"
    for name, entry in value.items():
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,63}", name):
            return "has an entry with a name that is not allowed"
        if fault := fault_in_entry(entry):
            return f"has an entry, {name}, that {fault}"
    return None


def fault_in_entry(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return fault_in_text(value, 1000)
    if isinstance(value, int | float):
        try:
            return None if math.isfinite(value) else "is not finite"
        except OverflowError:
            return "is larger than a double"
    return "is neither text nor number, true, false or null"


FAULT_IN: dict[str, Callable[[Any], str | None]] = {
    "title": fault_in_title,
    "description": lambda value: fault_in_text(value, 2000),
    "priority": fault_in_priority,
    "type": fault_in_type,
    "payload": fault_in_payload,
}


# ------------------------------------------------------------------------------------------------- operations


class Request(NamedTuple):
    id: str
    task_id: str  # as the path has it; empty where the path has none
    query: str
    body: bytes
    host: str  # what the client calls us


class Response(NamedTuple):
    status: int
    body: Any = None  # None: no body at all
    headers: Mapping[str, str] = {}


class Service:
    """What each operation does, HTTP aside."""

    def __init__(self, store: Store, environment: str) -> None:
        self.store = store
        self.environment = environment
        self.routes: dict[tuple[str, ...], dict[str, Callable[[Request], Response]]] = {
            ("health",): {"GET": self.health},
            ("info",): {"GET": self.info},
            ("openapi.json",): {"GET": self.description},
            ("tasks",): {"GET": self.list, "POST": self.create},
            ("tasks", "{id}"): {"GET": self.read, "PUT": self.replace, "DELETE": self.delete},
        }

    def health(self, request: Request) -> Response:
        return ok({"status": "ok", "database": "none"})

    def info(self, request: Request) -> Response:
        return ok({"name": "flowforge", "version": VERSION, "environment": self.environment})

    def description(self, request: Request) -> Response:
        return Response(200, DESCRIPTION)

    def list(self, request: Request) -> Response:
        query = parse_qs(request.query, keep_blank_values=True)
        faults: dict[str, str] = {}

        def number(name: str, default: int, most: int) -> int:
            text = query[name][0] if name in query else str(default)
            if re.fullmatch("0*[1-9][0-9]{0,5}", text) and int(text[-6:]) <= most:
                return int(text[-6:])
            faults[name] = f"is not a whole number from 1 to {most}"
            return default

        page, limit = number("page", 1, 100_000), number("limit", 20, 100)
        status = query.get("status", [None])[0]
        if status not in (None, *STATUSES):
            faults["status"] = "is not " + ", ".join(STATUSES[:-1]) + " or " + STATUSES[-1]
        if faults:
            raise Refused(400, "The query is not valid.", faults)
        tasks, total = self.store.page(page, limit, status)
        meta = {"page": page, "limit": limit, "total": total}
        return Response(200, {"data": tasks, "error": None, "meta": meta})

    def create(self, request: Request) -> Response:
        task = self.store.create(fields_of(request.body), request.id)
        return ok(task, 201, {"Location": f"http://{request.host}/tasks/{task['id']}"})

    def read(self, request: Request) -> Response:
        return ok(there(self.store.read(known(request.task_id))))

    def replace(self, request: Request) -> Response:
        task_id = known(request.task_id)
        return ok(there(self.store.replace(task_id, fields_of(request.body))))

    def delete(self, request: Request) -> Response:
        there(self.store.delete(known(request.task_id)))
        return Response(204)


def ok(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, {"data": data, "error": None}, headers or {})


def known(task_id: str) -> str:
    if not UUID.fullmatch(task_id):
        raise Refused(400, "That is not the id of a task.", {"id": "is not a hyphenated UUID"})
    return task_id.lower()


def there(found: Any) -> Any:
    if not found:
        raise Refused(404, "There is no such task.")
    return found


CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    500: "internal",
}


def refusal(error: Refused) -> Response:
    details = [{"field": field, "message": message} for field, message in error.faults.items()]
    body = {"code": CODES[error.status], "message": error.message, "details": details}
    return Response(error.status, {"data": None, "error": body}, error.headers)


# ------------------------------------------------------------------------------------------------------- HTTP


class Connection(BaseHTTPRequestHandler):
    """One client's connection: waits for requests, reads them, answers them one after the other."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30  # seconds for a client to go on with what it has begun
    idle_timeout = 120  # seconds between two requests

    def handle(self) -> None:
        self.close_connection = False
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.connection, selectors.EVENT_READ)
            waiting.register(self.server.stop_read, selectors.EVENT_READ)
            while not self.close_connection and self.next_request_begins(waiting):
                self.handle_one_request()

    def next_request_begins(self, waiting: selectors.BaseSelector) -> bool:
        """Wait for a request's first byte; False once there is none and there need not be any."""
        self.connection.settimeout(0)
        ahead = self.rfile.peek(1)  # type: ignore[attr-defined]  # what was sent along with the last one
        self.connection.settimeout(self.timeout)
        if ahead:
            return True
        ready = waiting.select(self.idle_timeout)
        return any(key.fileobj is self.connection for key, _ in ready)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # http.server looks for do_GET, do_POST …; the service decides here
            return self.respond
        raise AttributeError(name)

    def respond(self) -> None:
        started = time.perf_counter()
        target = self.requestline.split()[1]  # self.path has lost a slash if there were two
        if not target.startswith("/"):
            with contextlib.suppress(ValueError):
                parts = urlsplit(target)  # absolute form, as sent to a proxy
                target = f"{parts.path}?{parts.query}"
        path, _, query = target.partition("?")
        given = self.headers.get("X-Request-ID", "")
        request_id = given if re.fullmatch("[A-Za-z0-9._-]{1,128}", given) else str(uuid.uuid4())
        crash = {}
        try:
            response = self.answer(path, query, request_id)
        except Refused as error:
            response = refusal(error)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except Exception as error:
            response = refusal(Refused(500, "That is our fault, not yours."))
            crash = {"error": repr(error), "traceback": traceback.format_exc()}
        self.send(response, request_id)
        self.server.log(
            "error" if crash else "info",
            "request",
            request_id=request_id,
            method=self.command,
            path=path,
            status=response.status,
            duration_ms=round((time.perf_counter() - started) * 1000, 3),
            **crash,
        )

    def answer(self, path: str, query: str, request_id: str) -> Response:
        body = self.read_body()
        routes = self.server.service.routes
        steps = tuple(unquote(step, errors="replace") for step in path.split("/")[1:])
        if len(steps) == 2 and steps[0] == "tasks" and steps[1]:
            methods, task_id = routes["tasks", "{id}"], steps[1]
        elif steps in routes and len(steps) == 1:
            methods, task_id = routes[steps], ""
        else:
            raise Refused(404, "There is nothing here.")

        command = "GET" if self.command == "HEAD" and "GET" in methods else self.command
        allow = {"Allow": ", ".join([*methods, "HEAD", "OPTIONS"])}
        if command == "OPTIONS":
            return Response(204, headers=allow)
        if command not in methods:
            raise Refused(405, f"This path does not know {command[:20]}.", headers=allow)
        if command in ("POST", "PUT"):
            body = self.checked(body)
        return methods[command](Request(request_id, task_id, query, body or b"", self.host()))

    def checked(self, body: bytes | None) -> bytes:
        if body is None:
            raise Refused(413, f"The body is larger than {LARGEST_BODY} bytes.")
        media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not body and media_type:
            raise Refused(400, "There is no body.")
        if media_type != "application/json":
            raise Refused(415, "A body must be declared as application/json.")
        if self.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise Refused(415, "A body must not be compressed.")
        return body

    def host(self) -> str:
        named = self.headers.get("Host", "")
        if re.fullmatch(r"[A-Za-z0-9.-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?", named):
            return named
        host, port = self.connection.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    # Reading. http.server leaves bodies to its user.

    def read_body(self) -> bytes | None:
        """The whole body; None if it is too large, and then the connection cannot be used again."""
        lengths = set(self.headers.get_all("Content-Length", ["0"]))
        coding = self.headers.get("Transfer-Encoding", "").strip().lower()
        length = lengths.pop().strip()
        malformed = lengths or not re.fullmatch("[0-9]+", length) or coding not in ("", "chunked")
        if malformed or (coding and "Content-Length" in self.headers):
            self.close_connection = True
            raise Refused(400, "Where the body ends cannot be told.")
        body: bytes | None
        if coding:
            self.go_on()
            collected = b""
            for chunk in self.chunks():
                collected += chunk
                if len(collected) > LARGEST_BODY:
                    break
            body = collected if len(collected) <= LARGEST_BODY else None
        elif len(length) > 18 or int(length) > LARGEST_BODY:
            body = None
        else:
            if int(length):
                self.go_on()
            body = self.exactly(int(length))
        if body is None:
            self.close_connection = True
        return body

    def chunks(self) -> Iterator[bytes]:
        """The pieces of a chunked body; one that is too large may come in part."""
        while True:
            size = re.fullmatch(rb"([0-9a-fA-F]{1,16})[ \t]*(;[^\r\n]*)?\r?\n", self.rfile.readline(4096))
            if not size:
                self.close_connection = True
                raise Refused(400, "The body's chunks are malformed.")
            length = int(size[1], 16)
            if length == 0:
                break
            yield self.exactly(min(length, LARGEST_BODY + 1))
            if length > LARGEST_BODY:
                return
            if self.rfile.readline(3) not in (b"\r\n", b"\n"):
                self.close_connection = True
                raise Refused(400, "The body's chunks are malformed.")
        for _ in range(100):
            if self.rfile.readline(65_536) in (b"\r\n", b"\n", b""):
                return
        self.close_connection = True

    def exactly(self, length: int) -> bytes:
        data = self.rfile.read(length)
        if len(data) < length:
            raise ConnectionError("the client left in the middle of a body")
        return data

    def handle_expect_100(self) -> bool:
        return True  # go_on() says so when the body is wanted: a refusal can come first

    def go_on(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue" and self.request_version == "HTTP/1.1":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # Writing

    def send(self, response: Response, request_id: str) -> None:
        if self.server.stopping:
            self.close_connection = True
        headers = {
            "Date": self.date_time_string(),
            "X-Request-ID": request_id,
            "Connection": "close" if self.close_connection else "keep-alive",
            **response.headers,
        }
        body = b""
        if response.body is not None:
            body = json.dumps(response.body, allow_nan=False).encode()
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"HTTP/1.1 {response.status} {http.HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self.wfile.write(head + (b"" if self.command == "HEAD" else body))
        if self.close_connection:
            self.linger()

    def linger(self) -> None:
        """Read on for a while: closing with bytes unread would reset the connection and lose the answer."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1)
            until = time.monotonic() + 5
            while time.monotonic() < until and self.rfile.read1(65_536):
                pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server refuses by itself, before there is a request that anyone could route."""
        self.close_connection = True
        self.send(refusal(Refused(400, "That is not HTTP as this service speaks it.")), str(uuid.uuid4()))
        self.server.log("info", "unreadable request", status=400)

    def log_message(self, format: str, *args: Any) -> None:
        self.server.log("debug", format % args)


class Server(ThreadingHTTPServer):
    """Accepts connections until a signal comes, then waits for those that are busy."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, settings: Settings, service: Service, log: Log) -> None:
        self.address_family = settings.family
        self.service = service
        self.log = log
        self.stopping = False
        self.stop_read, self.stop_write = socket.socketpair()  # readable for every thread once it is time
        self.open: set[Any] = set()
        self.changed = threading.Condition()
        super().__init__(settings.address, Connection, bind_and_activate=False)

    def listen(self) -> None:
        """Open the door; raises OSError if the address is not to be had."""
        self.server_bind()
        self.server_activate()
        self.socket.setblocking(False)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks DNS for a name, which may take long

    def on_signal(self, *_: object) -> None:
        if not self.stopping:
            self.stopping = True
            self.stop_write.send(b"!")

    def serve_until_stopped(self) -> None:
        with selectors.DefaultSelector() as door:
            door.register(self, selectors.EVENT_READ)
            door.register(self.stop_read, selectors.EVENT_READ)
            while not self.stopping:
                if any(key.fileobj is self for key, _ in door.select()):
                    self.handle_request()
        # who stands in the queue already may have sent a request, and would be cut off with the door
        late: list[Any] = []
        with contextlib.suppress(OSError):
            while len(late) < self.request_queue_size:
                late.append(self.get_request())
        self.server_close()
        for connection, address in late:
            self.process_request(connection, address)

    def finish(self, patience: float) -> bool:
        """Wait for open connections at most `patience` seconds; whether all are done."""
        until = time.monotonic() + patience
        with self.changed:
            if not self.changed.wait_for(lambda: not self.open, min(patience, 1)):
                for connection in self.open:  # no more of what is half received; answers still go out
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RD)
                self.changed.wait_for(lambda: not self.open, until - time.monotonic())
            return not self.open

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.changed:
            self.open.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        super().close_request(request)
        with self.changed:
            self.open.discard(request)
            self.changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if isinstance(error, OSError):
            self.log("debug", "a client left", reason=repr(error))
        else:
            self.log("error", "a connection crashed", error=repr(error), traceback=traceback.format_exc())


# ---------------------------------------------------------------------------------------- the description


def describe() -> Json:
    """The OpenAPI document of this service."""

    def text(**rules: Any) -> Json:
        return {"type": "string", **rules}

    def whole(least: int, most: int, **rules: Any) -> Json:
        return {"type": "integer", "minimum": least, "maximum": most, **rules}

    def thing(**properties: Json) -> Json:
        return {"type": "object", "required": list(properties), "properties": properties}

    entry = {"nullable": True, "anyOf": [text(maxLength=1000), {"type": "number"}, {"type": "boolean"}]}
    settable = {
        "title": text(minLength=1, maxLength=200),
        "description": text(maxLength=2000, default=""),
        "priority": whole(-100, 100, default=0),
        "type": text(pattern="^[a-z][a-z0-9_]{0,49}$", default="noop"),
        "payload": {"type": "object", "maxProperties": 50, "additionalProperties": entry, "default": {}},
    }
    task = thing(
        id=text(format="uuid"),
        **settable,
        status=text(enum=STATUSES),
        result={"type": "object", "nullable": True},
        error=text(nullable=True),
        attempts={"type": "integer", "minimum": 0},
        assigned_worker=text(nullable=True),
        request_id=text(nullable=True),
        created_at=text(format="date-time"),
        updated_at=text(format="date-time"),
    )
    task_input = thing(**settable) | {"required": ["title"], "additionalProperties": False}
    nothing = {"type": "object", "nullable": True, "enum": [None]}
    meta = thing(page=whole(1, 100_000), limit=whole(1, 100), total={"type": "integer", "minimum": 0})
    detail = thing(field=text(), message=text())
    details = {"type": "array", "items": detail}
    failure = thing(data=nothing, error=thing(code=text(), message=text(), details=details))
    request_id = {"X-Request-ID": {"required": True, "schema": text(pattern="^[A-Za-z0-9._-]{1,128}$")}}
    location = {"Location": {"required": True, "schema": text(format="uri")}}

    def response(schema: Json | None, headers: Json = request_id) -> Json:
        content = {"content": {"application/json": {"schema": schema}}} if schema else {}
        return {"description": "As the schema says.", "headers": headers, **content}

    def envelope(data: Json, **more: Json) -> Json:
        return thing(data=data, error=nothing, **more)

    def operation(success: Json, *errors: int, query: Json | None = None, body: bool = False) -> Json:
        parameters = [{"name": "x-request-id", "in": "header", "required": False, "schema": text()}]
        parameters += [{"name": name, "in": "query", "schema": rule} for name, rule in (query or {}).items()]
        request = {"required": True, "content": {"application/json": {"schema": task_input}}}
        responses = success | {str(status): response(failure) for status in errors}
        return {"parameters": parameters, "responses": responses} | ({"requestBody": request} if body else {})

    def one(operation: Json) -> Json:
        by_id = {"name": "id", "in": "path", "required": True, "schema": text(format="uuid")}
        return operation | {"parameters": [by_id, *operation["parameters"]]}

    query = {
        "page": whole(1, 100_000, default=1),
        "limit": whole(1, 100, default=20),
        "status": text(enum=STATUSES),
    }
    tasks = {"type": "array", "items": task}
    health = envelope(thing(status=text(), database=text()))
    info = envelope(thing(name=text(), version=text(), environment=text()))
    itself = thing(openapi=text(), info={"type": "object"}, paths={"type": "object"})
    created = response(envelope(task), request_id | location)
    return {
        "openapi": "3.0.3",
        "info": {"title": "FlowForge", "version": VERSION},
        "paths": {
            "/health": {"get": operation({"200": response(health)}, 503)},
            "/info": {"get": operation({"200": response(info)})},
            "/openapi.json": {"get": operation({"200": response(itself)})},
            "/tasks": {
                "get": operation({"200": response(envelope(tasks, meta=meta))}, 400, query=query),
                "post": operation({"201": created}, 400, 413, 415, body=True),
            },
            "/tasks/{id}": {
                "get": one(operation({"200": response(envelope(task))}, 400, 404)),
                "put": one(operation({"200": response(envelope(task))}, 400, 404, 413, 415, body=True)),
                "delete": one(operation({"204": response(None)}, 400, 404)),
            },
        },
    }


DESCRIPTION = describe()


# ------------------------------------------------------------------------------------------------------- main


def main() -> int:
    settings, wrong = read_settings(os.environ)
    if settings is None:
        print("flowforge: the environment is not right:", *wrong, sep="\n  ", file=sys.stderr)
        return 2
    log = Log(settings.log_level, settings.log_format)
    server = Server(settings, Service(Store(), settings.environment), log)
    signal.signal(signal.SIGTERM, server.on_signal)
    signal.signal(signal.SIGINT, server.on_signal)
    try:
        server.listen()
    except OSError as error:
        host, port = settings.address[:2]
        reason = f"cannot listen on {host} port {port}: {error.strerror}; change API_HOST or API_PORT"
        log("error", "not started", error=reason)
        return 1
    log("info", "listening", host=str(settings.address[0]), port=settings.address[1])
    server.serve_until_stopped()
    log("info", "stopping")
    if not server.finish(settings.shutdown_timeout):
        log("warn", "SHUTDOWN_TIMEOUT is over, some connections are cut")
    log("info", "stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
