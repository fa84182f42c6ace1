"""Checks that are played beside each other, and told one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from labkit import beside, evidence
from labkit.beside import Ahead
from labkit.deadlines import time_limit
from labkit.evidence import CheckFailed, Journal, TimeUp, recording


@pytest.fixture
def ahead() -> Iterator[Ahead]:
    ahead = beside.ahead(4)
    yield ahead
    ahead.end()


def test_plays_go_on_at_the_same_time(ahead: Ahead) -> None:
    both = threading.Barrier(2, timeout=10)
    ahead.begin({"one": lambda: void(both.wait()), "two": lambda: void(both.wait())})
    assert ahead.performance("one").error is None
    assert ahead.performance("two").error is None


def test_each_keeps_its_own_evidence(ahead: Ahead) -> None:
    with recording(Journal()) as of_the_run:
        ahead.begin({name: lambda name=name: evidence.did(name) for name in ("one", "two")})
        texts = {name: [a.text for a in ahead.performance(name).journal.actions] for name in ("one", "two")}
    assert texts == {"one": ["one"], "two": ["two"]}
    assert of_the_run.actions == []


def test_an_error_is_kept_until_it_is_asked_for(ahead: Ahead) -> None:
    def fails() -> None:
        raise CheckFailed("this", "that")

    ahead.begin({"fails": fails})
    assert isinstance(ahead.performance("fails").error, CheckFailed)


def test_who_has_no_time_left_tells_what_was_done_until_then(ahead: Ahead) -> None:
    go_on = threading.Event()

    def hangs() -> None:
        evidence.did("ask")
        go_on.wait(timeout=10)

    ahead.begin({"hangs": hangs})
    try:
        with recording(Journal()) as journal, pytest.raises(TimeUp), time_limit(0.1, TimeUp):
            ahead.performance("hangs")
    finally:
        go_on.set()
    assert [action.text for action in journal.actions] == ["ask"]


def test_what_is_prepared_begins_once_and_only_when_asked_for(ahead: Ahead) -> None:
    begun = []
    ahead.prepare("gate", lambda: begun.append("prepared"))
    ahead.begin({"other": lambda: None})
    assert ahead.performance("other").error is None
    assert begun == []
    assert ahead.performance("gate") is ahead.performance("gate")
    assert begun == ["prepared"]


def test_what_has_begun_is_not_prepared_again(ahead: Ahead) -> None:
    ahead.begin({"gate": lambda: evidence.did("begun")})
    ahead.prepare("gate", lambda: evidence.did("prepared"))
    assert [action.text for action in ahead.performance("gate").journal.actions] == ["begun"]


def test_plays_that_share_something_follow_one_another(ahead: Ahead) -> None:
    order: list[str] = []

    def fails() -> None:
        order.append("two")
        raise CheckFailed("this", "that")

    closed = threading.Event()
    plays = {"one": lambda: order.append("one"), "two": fails, "three": lambda: order.append("three")}
    ahead.begin_in_turn(plays, close=closed.set)
    assert isinstance(ahead.performance("two").error, CheckFailed)
    assert ahead.performance("three").error is None
    assert order == ["one", "two", "three"]
    assert closed.wait(10)


def test_the_end_breaks_off_what_waits_and_leaves_out_the_rest() -> None:
    ahead = beside.ahead(1)
    begun: list[str] = []
    waiting = threading.Event()

    def first() -> None:
        begun.append("first")
        waiting.set()
        assert ahead.over.wait(10)

    ahead.begin({"first": first, "second": lambda: begun.append("second")})
    assert waiting.wait(10)
    ahead.end()
    assert begun == ["first"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("check")]


def void(value: object) -> None:
    """Let a lambda return nothing."""


def test_a_check_does_not_pay_for_those_before_it() -> None:
    single = beside.ahead(1)
    release = threading.Event()
    single.begin({"long": lambda: bool(release.wait(20)), "short": lambda: None})
    threading.Timer(0.5, release.set).start()
    with time_limit(0.02, TimeUp):
        assert single.performance("short").error is None
    single.end()


def test_a_check_pays_for_itself() -> None:
    single = beside.ahead(1)
    release = threading.Event()
    single.begin({"long": lambda: bool(release.wait(20))})
    with pytest.raises(TimeUp), time_limit(0.02, TimeUp):
        single.performance("long")
    release.set()
    single.end()
