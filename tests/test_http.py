"""The client: what it says about answers that are wrong, broken, late, huge or missing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from labkit import contract, evidence, http
from labkit.evidence import CheckFailed, Journal
from labkit.http import Client, pages, same_number

Answer = bytes | Callable[[socket.socket], None]
Serve = Callable[[Answer], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves one canned answer to every connection, and gives the server's URL."""
    servers: list[socket.socket] = []
    over = threading.Event()

    def handle(connection: socket.socket, answer: Answer) -> None:
        with connection:
            connection.settimeout(30)
            received = b""
            try:
                while b"\r\n\r\n" not in received:
                    received += connection.recv(65_536)
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)
            except OSError:
                pass

    def accept(here: socket.socket, answer: Answer) -> None:
        while not over.is_set():
            try:
                connection, _ = here.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection, answer), daemon=True).start()

    def start(answer: Answer) -> str:
        here = socket.create_server(("127.0.0.1", 0))
        servers.append(here)
        threading.Thread(target=accept, args=(here, answer), daemon=True).start()
        return f"http://127.0.0.1:{here.getsockname()[1]}"

    yield start
    over.set()
    for here in servers:
        here.shutdown(socket.SHUT_RDWR)
        here.close()


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An answer with that body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def failure(action: Callable[[], object]) -> CheckFailed:
    """What is told about an action that fails the check."""
    with pytest.raises(CheckFailed) as caught:
        action()
    return caught.value


def get(url: str, path: str = "/tasks", patience_s: float = 5.0) -> http.Response:
    with Client(url, None, patience_s=patience_s) as client:
        return client.get(path)


def test_an_answer_is_taken_as_it_comes(serve: Serve) -> None:
    answer = get(serve(response(b'{"data": [], "error": null}', "301 Moved", "Location: /elsewhere")))
    assert (answer.status, answer.body) == (301, b'{"data": [], "error": null}')
    assert answer.headers["LOCATION"] == "/elsewhere"
    assert str(answer) == '301 {"data": [], "error": null}'


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        told = failure(lambda: get(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert told.expected == "an answer to GET /tasks"
    assert told.saw == "the connection was refused: nobody listens any more"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
    ],
)
def test_a_connection_that_breaks_off(serve: Serve, answer: bytes) -> None:
    told = failure(lambda: get(serve(answer)))
    assert told.saw.startswith("the connection broke off without one (")


def test_a_server_that_never_answers(serve: Serve) -> None:
    url = serve(lambda connection: time.sleep(30))
    told = failure(lambda: get(url, patience_s=0.2))
    assert told.expected.startswith("an answer to GET /tasks within ")
    assert told.saw == "no whole answer in that time"


def test_an_answer_that_trickles(serve: Serve) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    told = failure(lambda: get(serve(trickle), patience_s=0.3))
    assert told.saw == "no whole answer in that time"


def test_an_answer_of_a_gigabyte(serve: Serve) -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 1_000_000)

    told = failure(lambda: get(serve(flood)))
    assert told.saw == "over 8,388,608 bytes"


def test_a_body_that_is_not_encoded_as_it_says(serve: Serve) -> None:
    told = failure(lambda: get(serve(response(b"plain", "200 OK", "Content-Encoding: gzip"))))
    assert told.saw == "a body that its Content-Encoding does not fit"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", b"\xff", b"[" * 100_000, b"9" * 100_000, b'{"a": 1}{'],
    ids=["empty", "html", "half", "not utf-8", "deep", "huge integer", "more after it"],
)
def test_a_body_that_is_no_json(serve: Serve, body: bytes) -> None:
    answer = get(serve(response(body)))
    told = failure(lambda: answer.json)
    assert told.expected == "a JSON body in answer to GET /tasks"
    assert told.saw.startswith("200")
    assert len(told.saw) < 500


@pytest.mark.parametrize(
    ("body", "member", "expected"),
    [
        (b"[]", "data", 'an envelope with "data" in it'),
        (b'{"data": [1]}', "tasks", "a list of tasks in `data`"),
        (b'{"data": {"title": "x"}}', "task", "a task in `data`, an object with at least an id"),
        (b'{"data": null}', "meta", 'an envelope with "meta" in it'),
        (b'{"meta": 3}', "meta", "`meta` with page, limit and total"),
        (b'{"error": "bad"}', "error", "`error` with code, message and details"),
    ],
)
def test_an_envelope_that_lacks_something(serve: Serve, body: bytes, member: str, expected: str) -> None:
    answer = get(serve(response(body)))
    assert failure(lambda: getattr(answer, member)).expected == expected


def test_the_wrong_status_or_code(serve: Serve) -> None:
    answer = get(serve(response(b'{"data": null, "error": {"code": "not_found"}}', "404 Not Found")))
    assert answer.expect(404) is answer
    assert answer.expect_error(404, "not_found") is answer
    assert failure(lambda: answer.expect(200, "for a task")).expected == "200 for a task"
    told = failure(lambda: answer.expect_error(400, "invalid_request"))
    assert told.expected == "400 with error code `invalid_request`"
    assert told.saw.startswith('404 {"data": null')
    assert failure(lambda: answer.expect_error(404, "gone")).expected == "404 with error code `gone`"
    bare = get(serve(response(b"oops", "404 Not Found")))
    expected = "404, in the envelope, with error code `not_found`"
    assert failure(lambda: bare.expect_error(404, "not_found")).expected == expected


def test_what_a_terminal_would_obey_is_made_harmless(serve: Serve) -> None:
    answer = get(serve(response(b"\x1b[2J\x1b]0;owned\x07\xe2\x80\xae" + b"x" * 10_000)))
    assert str(answer).isprintable()
    assert "\\x1b[2J" in str(answer)
    assert len(str(answer)) < 350


def test_every_exchange_is_remembered_and_held_against_the_contract(serve: Serve) -> None:
    url = serve(
        response(b'{"data": {"status": "fine"}, "error": null}', "200 OK", "Content-Type: application/json")
    )
    with evidence.recording(Journal()) as journal, Client(url, contract.load()) as client:
        client.get("/health")
    assert journal.did() == "GET /health"
    assert journal.curls() == ["curl -i http://127.0.0.1:8080/health"]
    assert journal.violations
    known = {http.identity(violation) for violation in journal.violations}
    with evidence.recording(Journal()) as again, Client(url, contract.load(), known=known) as client:
        client.get("/health")
    assert again.violations == []


def test_a_long_request_is_told_in_one_short_line(serve: Serve) -> None:
    url = serve(response(b""))
    with evidence.recording(Journal()) as journal, Client(url, None) as client:
        client.post("/tasks", json={"title": "x" * 1_000_000})
    assert len(journal.did()) < 300
    assert journal.did().startswith('POST /tasks {"title": "xxx')
    assert len(journal.curls()[0]) < 300


def test_what_is_sent(serve: Serve) -> None:
    seen: list[bytes] = []

    def record(connection: socket.socket) -> None:
        connection.sendall(response(b""))

    class Peek(Client):
        def _send(self, request: http.Request, content: object) -> http.Response:
            seen.append(request.body or b"")
            return super()._send(request, content)  # type: ignore[arg-type]

    with Peek(serve(record), None) as client:
        for value in ({"a": "\0"}, "é", float("nan")):
            client.post("/tasks", json=value)
        client.post("/tasks", body=b"\xff", content_type=None)
        chunked = client.stream("POST", "/tasks", [b"{", b"}"])
    assert seen == [b'{"a": "\\u0000"}', '"é"'.encode(), b"NaN", b"\xff", b"{}"]
    assert chunked.request.headers["Transfer-Encoding"] == "chunked"


def test_a_connection_is_kept_however_old(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """httpx closes those that it takes for too old, also one that another thread is just about to use."""
    connections = []

    def answer_all(connection: socket.socket) -> None:
        connections.append(connection)
        while True:
            connection.sendall(response(b"{}").replace(b"Connection: close\r\n", b""))
            if not connection.recv(65_536):
                return

    with Client(serve(answer_all), None) as client:
        client.get("/tasks")
        later = time.monotonic() + 3600
        monkeypatch.setattr("httpcore._sync.http11.time.monotonic", lambda: later)
        client.get("/tasks")
    assert len(connections) == 1


def test_pages_end_with_the_first_empty_one(serve: Serve) -> None:
    asked: list[str] = []
    bodies = [b'{"data": [{"id": "1"}]}', b'{"data": [{"id": "2"}]}', b'{"data": []}']

    class Canned(Client):
        def request(self, method: str, path: str, **options: object) -> http.Response:
            asked.append(path)
            return http.Response(
                http.Request(method, path), 200, http.httpx.Headers(), bodies[len(asked) - 1], 0
            )

    found = [page.tasks[0]["id"] for page in pages(Canned("http://127.0.0.1:1", None), "/tasks?status=x", 1)]
    assert found == ["1", "2"]
    assert asked == [f"/tasks?status=x&page={page}&limit=1" for page in (1, 2, 3)]


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (0.1, 0.1, True),
        (2**53 + 1, float(2**53), True),
        (1, True, False),
        ("1", 1, False),
        (None, 0, False),
        (10**400, 1.0, False),
        (float("nan"), float("nan"), False),
        (5e-324, 0.0, False),
    ],
)
def test_numbers_are_compared_as_doubles(left: object, right: object, same: bool) -> None:
    assert same_number(left, right) is same
