"""An HTTP client that remembers every exchange and holds every answer against openapi.yaml."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import httpx

from labkit import curl, evidence
from labkit.contract import Contract, Violation
from labkit.deadlines import allowed, waited
from labkit.evidence import CheckFailed, shorten

ANSWER_S = 10.0
"""How long an answer may take before it counts as none (scaled to the machine)."""
_MOST_BODY_BYTES = 8 * 1024 * 1024
_PASTE_URL = "http://127.0.0.1:8080"
"""Where `lab up` serves; curl lines point there, since the port of a check is gone with it."""

JSON = "application/json"
_NO_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Request:
    """What was sent. `body` is None for a request without one."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def __str__(self) -> str:
        told = [self.method, shorten(self.path, 120)]
        told += [f"[{name}: {shorten(value, 60)}]" for name, value in self.headers.items() if value != JSON]
        if self.body is not None:
            told.append(_text(self.body, 160) or "(an empty body)")
        return " ".join(told)

    def curl(self) -> str | None:
        """The request as a line for a shell, against the address where `lab up` serves."""
        return curl.line(self.method, _PASTE_URL + self.path, self.headers, self.body)


@dataclass(frozen=True)
class Response:
    """What came back. Header names are case-insensitive; `duration_s` is until the last byte was read."""

    request: Request
    status: int
    headers: httpx.Headers
    body: bytes
    duration_s: float

    def __str__(self) -> str:
        return f"{self.status} {_text(self.body, 300)}".rstrip()

    @cached_property
    def json(self) -> Any:
        """The body as JSON; fails the check if it is not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise CheckFailed(f"a JSON body in answer to {self.request}", self) from None

    def _member(self, name: str) -> Any:
        envelope = self.json
        if not isinstance(envelope, dict) or name not in envelope:
            raise CheckFailed(f'an envelope with "{name}" in it', self)
        return envelope[name]

    @property
    def data(self) -> Any:
        """`data` of the envelope; fails the check if there is none."""
        return self._member("data")

    @property
    def task(self) -> dict[str, Any]:
        """`data` as a task; fails the check if it is not an object with an id."""
        task = self.data
        if not isinstance(task, dict) or "id" not in task:
            raise CheckFailed("a task in `data`, an object with at least an id", self)
        return task

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """`data` as a list of tasks; fails the check if it is not one."""
        tasks = self.data
        if not isinstance(tasks, list) or not all(isinstance(t, dict) and "id" in t for t in tasks):
            raise CheckFailed("a list of tasks in `data`", self)
        return tasks

    @property
    def meta(self) -> dict[str, Any]:
        """`meta` of a list; fails the check if there is none."""
        meta = self._member("meta")
        if not isinstance(meta, dict):
            raise CheckFailed("`meta` with page, limit and total", self)
        return meta

    @property
    def error(self) -> dict[str, Any]:
        """`error` of the envelope; fails the check if it is not an object."""
        error = self._member("error")
        if not isinstance(error, dict):
            raise CheckFailed("`error` with code, message and details", self)
        return error

    def expect(self, status: int, because: str = "") -> Self:
        """Fail the check unless the status is `status`; `because` completes the sentence for the student."""
        if self.status != status:
            raise CheckFailed(f"{status} {because}".rstrip(), self)
        return self

    def expect_error(self, status: int, code: str, because: str = "") -> Self:
        """Fail the check unless this is an error envelope with that status and code."""
        wanted = f"{status} with error code `{code}` {because}".rstrip()
        if self.status != status:
            raise CheckFailed(wanted, self)
        enveloped = f"{status}, in the envelope, with error code `{code}` {because}".rstrip()
        try:
            found = self.error.get("code")
        except CheckFailed:
            raise CheckFailed(enveloped, self) from None
        if found != code:
            raise CheckFailed(wanted, self)
        return self


class Client:
    """Talks to one service. Thread-safe; never follows redirects, never retries.

    Violations of the contract that are not in `known` go into the running check's journal.
    """

    def __init__(
        self,
        base_url: str,
        contract: Contract | None,
        known: Collection[tuple[str, str]] = frozenset(),
        patience_s: float = ANSWER_S,
    ) -> None:
        """`known` violations are overlooked; `patience_s` is how long an answer may take (scaled)."""
        self.base_url = base_url
        self.contract = contract
        self.known = known
        self._patience_s = patience_s
        self.patience = allowed(patience_s)
        self.gate: str | None = None
        """The check that fails, once for all, when the service cannot do the basics; set by the running
        one."""
        self.broke_off = False
        """Whether a connection has ended without an answer; whoever wonders why may take it back."""
        self._http = httpx.Client(
            base_url=base_url,
            timeout=self.patience,
            trust_env=False,
            # It keeps all connections: what a thread has just been given, another one may close as too old.
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=None, keepalive_expiry=None),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    def get(self, path: str, **options: Any) -> Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Response:
        return self.request("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Response:
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        content_type: str | None = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request and return whatever comes back.

        `json` is sent as JSON; `body` is sent byte by byte; `content_type` goes with either (None: no
        header).
        Fails the check if no whole answer comes back in time.
        """
        if json is not None:
            body = dump(json)
        sent = dict(headers or {})
        if body is not None and content_type is not None:
            sent = {"Content-Type": content_type, **sent}
        return self._exchange(Request(method, path, sent, body), body)

    def stream(
        self, method: str, path: str, chunks: Iterable[bytes], *, content_type: str = JSON
    ) -> Response:
        """Send a body in chunks, without a Content-Length; otherwise like `request`."""
        pieces = list(chunks)
        sent = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
        request = Request(method, path, sent, b"".join(pieces))
        return self._exchange(request, iter(pieces))

    def _exchange(self, request: Request, content: bytes | Iterator[bytes] | None) -> Response:
        method, path = request.method, request.path
        evidence.did(str(request), kind=_kind(request), curl=request.curl())
        response = self._send(request, content)
        if self.contract is not None:
            violations = self.contract.violations(
                method, path, response.status, response.headers, response.body
            )
            evidence.journal().violations.extend(v for v in violations if identity(v) not in self.known)
        return response

    def _send(self, request: Request, content: bytes | Iterator[bytes] | None) -> Response:
        started = time.perf_counter()
        deadline = started + self.patience
        try:
            with self._http.stream(
                request.method, request.path, headers=dict(request.headers), content=content
            ) as answer:
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _MOST_BODY_BYTES:
                        raise CheckFailed("an answer of reasonable size", f"over {_MOST_BODY_BYTES:,} bytes")
                    if time.perf_counter() > deadline:
                        raise httpx.ReadTimeout("the answer trickles")
        except httpx.TimeoutException:
            waited(self._patience_s, self.patience, met=False)
            raise CheckFailed(
                f"an answer to {request} within {self.patience:.0f} s", "no whole answer in that time"
            ) from None
        except httpx.ConnectError:
            self.broke_off = True
            raise CheckFailed(
                f"an answer to {request}", "the connection was refused: nobody listens any more"
            ) from None
        except httpx.DecodingError:
            raise CheckFailed(
                f"an answer to {request}", "a body that its Content-Encoding does not fit"
            ) from None
        except httpx.TransportError as error:
            self.broke_off = True
            raise CheckFailed(
                f"an answer to {request}", f"the connection broke off without one ({_plain(error)})"
            ) from None
        took = time.perf_counter() - started
        waited(self._patience_s, took, met=True)
        return Response(request, answer.status_code, answer.headers, bytes(body), took)


def _text(body: bytes, most: int) -> str:
    """The beginning of a body as text."""
    if len(body) <= 4 * most:
        return shorten(_decoded(body), most)
    return f"{shorten(_decoded(body[: 4 * most])[: most - 24], most)} … ({len(body):,} bytes)"


def _decoded(body: bytes) -> str:
    """A body as text, with what is no UTF-8 as <ff>."""
    text = body.decode("utf-8", "surrogateescape")
    return _NO_UTF8.sub(lambda found: f"<{ord(found[0]) - 0xDC00:02x}>", text)


def _kind(request: Request) -> str:
    """Requests of one kind differ in their data only; the evidence shows the last and counts the others."""
    return f"{request.method} {request.path.count('/')} {'?' in request.path}"


def _plain(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


def identity(violation: Violation) -> tuple[str, str]:
    """What makes two violations the same defect."""
    return violation.where, violation.rule


def dump(value: Any) -> bytes:
    """JSON as it goes over the wire; NaN and infinities stand as Python writes them."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": ")).encode("utf-8", "surrogatepass")


def json_text(value: Any) -> str:
    """JSON as a text to show."""
    return dump(value).decode("utf-8", "backslashreplace")


def same_number(left: object, right: object) -> bool:
    """Whether two JSON numbers are equal (true and false are no numbers)."""
    numbers = (int, float)
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    try:
        return isinstance(left, numbers) and isinstance(right, numbers) and float(left) == float(right)
    except OverflowError:  # an integer beyond all doubles
        return left == right


def pages(client: Client, path: str, limit: int) -> Iterator[Response]:
    """Every page of a list, from the first to the first empty one."""
    for page in range(1, 1_000):
        joint = "&" if "?" in path else "?"
        response = client.get(f"{path}{joint}page={page}&limit={limit}").expect(200)
        if not response.tasks:
            return
        yield response
