"""The stand-in for the API: it answers as told, and counts."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from labkit import contract, standin
from labkit.standin import StandIn

TASK = {"title": "a task"}


def url(service: StandIn) -> str:
    return f"http://127.0.0.1:{service.port}"


def post(service: StandIn, **options: object) -> httpx.Response:
    return httpx.post(f"{url(service)}/tasks", trust_env=False, **(options or {"json": TASK}))  # type: ignore[arg-type]


def test_answers_as_told() -> None:
    service = StandIn(status=lambda number: 503 if number == 1 else 201)
    with standin.serving(service):
        assert [post(service).status_code for _ in range(3)] == [201, 503, 201]
    assert (service.posts, service.refused) == (3, [])


def test_answers_in_keeping_with_the_contract() -> None:
    service, the_contract = StandIn(status=lambda number: 201 if number == 0 else 503), contract.load()
    with standin.serving(service):
        answers = [post(service), post(service), httpx.get(f"{url(service)}/health", trust_env=False)]
        service.health = 503
        answers.append(httpx.get(f"{url(service)}/health", trust_env=False))
    for answer in answers:
        asked = answer.request
        found = the_contract.violations(
            asked.method, asked.url.path, answer.status_code, answer.headers, answer.content
        )
        assert not found


def test_takes_as_long_as_told() -> None:
    service = StandIn(latency_s=lambda number: 0.2 * number)
    with standin.serving(service):
        post(service)
        began = time.monotonic()
        post(service)
        assert time.monotonic() - began >= 0.2


def test_counts_how_many_are_there_at_once() -> None:
    service = StandIn(together=3)
    with standin.serving(service), ThreadPoolExecutor(3) as pool:
        assert [answer.status_code for answer in pool.map(lambda _: post(service), range(3))] == [201] * 3
    assert service.most_at_once == 3


def test_waits_in_vain_only_once() -> None:
    service = StandIn(together=2, patience_s=0.2)
    with standin.serving(service):
        post(service)
        began = time.monotonic()
        post(service)
        assert time.monotonic() - began < 0.2
    assert service.most_at_once == 1


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"content": b"{"}, "its media type is ''"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, "its body is no JSON"),
        ({"json": {}}, "its body has no title"),
        ({"json": {"title": "x", "status": "done"}}, "its body has the unknown field 'status'"),
    ],
)
def test_refuses_what_the_contract_refuses(sent: dict[str, object], problem: str) -> None:
    service = StandIn()
    with standin.serving(service):
        assert post(service, **sent).status_code == 400
    assert service.refused == [problem]


def test_takes_a_body_in_chunks() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"title": '
        yield b'"in chunks"}'

    service = StandIn()
    with standin.serving(service):
        answer = post(service, content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 201


def test_other_paths_are_not_counted() -> None:
    service = StandIn()
    with standin.serving(service):
        assert httpx.post(f"{url(service)}/other", json=TASK, trust_env=False).status_code == 404
        assert httpx.get(f"{url(service)}/tasks", trust_env=False).status_code == 404
    assert service.posts == 0


def test_a_silent_listener_takes_connections_and_says_nothing() -> None:
    with standin.silent_listener() as port, socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
