"""The curl line of a request: pasted into a shell, it sends the same request again."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping

import pytest

from labkit import curl
from labkit.http import JSON, Request

SHELLS = [shell for shell in ("bash", "zsh") if shutil.which(shell)]

pytestmark = pytest.mark.skipif(not shutil.which("curl") or not SHELLS, reason="needs curl, and bash or zsh")


class Recorder(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    protocol_version = "HTTP/1.1"
    received: list[tuple[str, str, Mapping[str, str], bytes]]

    def answer(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.received.append((self.command, self.path, dict(self.headers), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture(scope="module")
def server() -> Iterator[http.server.HTTPServer]:
    Recorder.received = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


BODIES = {
    "json": b'{"title": "a task", "payload": {"n": 1.5}}',
    "quotes": b"""{"title": "it's \\"quoted\\" `id` $(id) $HOME !! \\\\ %s %% #"}""",
    "line breaks": b'{\r\n\t"title": "x"\n}\n\n',
    "nul escapes": b'{"title": "a\\u0000b"}',
    "nul bytes": b'{"title": "a\x00b\x00"}',
    "not utf-8": b'{"title": "\xff\xfe\xc3("}',
    "unicode": '{"title": "Ελληνικά עברית 中文 🏳️‍🌈 \u202e\u2028"}'.encode(),
    "surrogate": '{"title": "\ud800"}'.encode("utf-8", "surrogatepass"),
    "starts with a dash": b"-n \\c -- %d",
    "starts with an at": b"@/etc/hosts",
    "empty": b"",
    "long": b'{"title": "x", "description": "' + b"y" * 2_001 + b'", "priority": 1}',
    "long and wide": ('{"title": "' + "é" * 201 + "🏳" * 201 + '"}').encode(),
    "too long for an argument": b'{"title": "' + b"z" * 300_000 + b"'%s\"}",
    "nested": b'{"payload": ' + b'{"a": ' * 20_000 + b"1" + b"}" * 20_000 + b"}",
    "long and binary": b"\x00" * 5_000 + b"\xff" * 5_000,
}


def pasted(line: str, shell: str = SHELLS[0] if SHELLS else "") -> str:
    """What a shell prints that the line is pasted into."""
    done = subprocess.run([shell, "-c", line], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert done.stderr == b"" or b"% Total" in done.stderr
    return done.stdout.decode()


@pytest.mark.parametrize("name", BODIES)
def test_the_body_arrives_byte_by_byte(server: http.server.HTTPServer, name: str) -> None:
    body = BODIES[name]
    url = f"http://127.0.0.1:{server.server_port}/tasks"
    line = curl.line("POST", url, {"Content-Type": JSON}, body)
    assert line is not None
    assert line.isprintable()
    for shell in SHELLS:
        assert pasted(line, shell).startswith("HTTP/1.1 200 OK")
        method, path, headers, received = Recorder.received.pop()
        assert (method, path, headers["Content-Type"]) == ("POST", "/tasks", JSON)
        assert received == body


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_the_method_arrives(server: http.server.HTTPServer, method: str) -> None:
    line = curl.line(method, f"http://127.0.0.1:{server.server_port}/tasks", {}, None)
    assert line is not None
    pasted(line)
    sent, _, headers, body = Recorder.received.pop()
    assert (sent, body) == (method, b"")
    assert "Content-Type" not in headers


@pytest.mark.parametrize(
    "path",
    ["/tasks?limit=1&page=2", "/tasks/{id}", "/tasks?a[]=1", "/a/../tasks", "/tasks/%00%0a'x\"", "/a;b"],
)
def test_the_path_arrives_as_it_is(server: http.server.HTTPServer, path: str) -> None:
    line = curl.line("GET", f"http://127.0.0.1:{server.server_port}{path}", {}, None)
    assert line is not None
    pasted(line)
    assert Recorder.received.pop()[1] == path


def test_headers_arrive(server: http.server.HTTPServer) -> None:
    headers = {"X-Request-ID": "it's $(id)", "X-Empty": "", "X-Tab": "a\tb", "Content-Type": "text/plain"}
    line = curl.line("POST", f"http://127.0.0.1:{server.server_port}/", headers, b"{}")
    assert line is not None
    pasted(line)
    received = Recorder.received.pop()[2]
    assert {name: received.get(name) for name in headers} == headers


def test_a_body_without_a_media_type_gets_none_from_curl(server: http.server.HTTPServer) -> None:
    line = curl.line("POST", f"http://127.0.0.1:{server.server_port}/", {}, b"{}")
    assert line is not None
    pasted(line)
    assert "Content-Type" not in Recorder.received.pop()[2]


def test_a_chunked_body_is_sent_in_chunks(server: http.server.HTTPServer) -> None:
    headers = {"Content-Type": JSON, "Transfer-Encoding": "chunked"}
    line = curl.line("POST", f"http://127.0.0.1:{server.server_port}/", headers, b"x" * 70_000)
    assert line is not None
    pasted(line)
    received = Recorder.received.pop()
    assert "Content-Length" not in received[2]
    assert received[3] == b"x" * 70_000


def test_a_line_is_short_where_its_request_repeats_itself() -> None:
    line = curl.line("POST", "http://127.0.0.1:8080/tasks", {}, BODIES["too long for an argument"])
    assert line is not None
    assert len(line) < 200


def test_there_is_no_line_that_nobody_would_want_to_see() -> None:
    irregular = b"".join(b"%d " % (number * number) for number in range(2_000))
    assert curl.line("POST", "http://127.0.0.1:8080/tasks", {}, irregular) is None
    assert Request("POST", "/tasks", {}, irregular).curl() is None


def test_lines_point_to_where_lab_up_serves() -> None:
    line = Request("GET", "/health").curl()
    assert line == "curl -i http://127.0.0.1:8080/health"
