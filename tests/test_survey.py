"""The walk through the contract before the checks begin, and what checks do before their own question."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit import contract, evidence, project, services, survey, tasks
from labkit.evidence import Blocked, Journal
from labkit.http import Client, identity


@pytest.fixture
def careless() -> Iterator[str]:
    """A service that answers everything with 200 and the same text."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "9")
            self.end_headers()
            self.wfile.write(b'{"id": 7}')

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

        def log_message(self, *arguments: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_right_service_strays_nowhere(single_file: Path) -> None:
    service = services.start_api(project.load(single_file), {})
    try:
        with evidence.recording(Journal()) as journal:
            assert survey.walk(Client(service.url, contract.load())) == ()
    finally:
        service.kill()
    assert journal.actions == [], "the walk leaves no trace in a check's evidence"


def test_every_kind_of_straying_is_told_once(careless: str) -> None:
    found = survey.walk(Client(careless, contract.load()))
    assert found
    assert len({identity(violation) for violation in found}) == len(found)


def test_a_service_that_is_gone_is_passed_over() -> None:
    assert survey.walk(Client("http://127.0.0.1:1", contract.load())) == ()


def test_a_task_that_cannot_be_made_or_read_blocks_the_check(careless: str) -> None:
    api: Any = Client(careless, None)
    with pytest.raises(Blocked) as caught:
        tasks.create(api)
    assert caught.value.by == tasks.CREATES
    assert caught.value.cause.saw == '200 {"id": 7}'
    with pytest.raises(Blocked) as caught:
        tasks.read(api, {"id": "7"})
    assert caught.value.by == tasks.READS
    api.gate = "lab02.persistence.works_on_the_database"
    with pytest.raises(Blocked) as caught:
        tasks.create(api)
    assert caught.value.by == api.gate
