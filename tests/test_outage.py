"""An outage, observed: each request has its own story, and deadlines are told as the contract has them."""

from collections.abc import Callable

import pytest

from labkit import deadlines, evidence
from labkit.episodes import outage
from labkit.evidence import CheckFailed, Journal, did


def test_each_of_several_requests_ends_its_own_story() -> None:
    def request(name: str) -> Callable[[], None]:
        return lambda: did(name)

    with evidence.recording(Journal()) as journal:
        did("stop PostgreSQL")
        found = outage._at_once({name: request(name) for name in ("GET /tasks", "GET /health")})
    assert {name: exchange.story[-1].text for name, exchange in found.items()} == {
        "GET /tasks": "GET /tasks",
        "GET /health": "GET /health",
    }
    assert all(exchange.story[0].text == "stop PostgreSQL" for exchange in found.values())
    assert len(journal.actions) == 3


def test_what_is_told_takes_the_place_of_what_came_later() -> None:
    def refused() -> None:
        did("GET /health")
        raise CheckFailed("an answer", "none")

    told = Journal(logs=[lambda: ["the line of that moment"]])
    with evidence.recording(told):
        exchange = outage._exchange(refused)
        did("start PostgreSQL again")
    with evidence.recording(Journal()) as journal:
        did("something else")
        answer = exchange.tell()
    assert isinstance(answer, CheckFailed)
    assert journal.did() == "GET /health"
    assert journal.log() == ["the line of that moment"]


@pytest.mark.parametrize(
    ("slowness", "told"),
    [(1.0, "within 5 s"), (1.1, "within 5 s"), (2.4, "within 5 s (12 s on this machine)")],
)
def test_deadlines_are_stated_as_in_the_contract(
    monkeypatch: pytest.MonkeyPatch, slowness: float, told: str
) -> None:
    monkeypatch.setattr(deadlines, "slowness", lambda: slowness)
    assert deadlines.stated(5) == told
