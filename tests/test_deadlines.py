"""Deadlines: polling, scaling, and the limit that nothing escapes."""

from __future__ import annotations

import contextlib
import signal
import threading
import time

import pytest

from labkit import deadlines
from labkit.deadlines import scaled, slowness, time_limit, wait_until
from labkit.evidence import TimeUp


def test_a_slow_machine_gets_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for loop_s, factor in ((0.0001, 1.0), (deadlines._FAST_LOOP_S * 3, 3.0), (60.0, 10.0)):
        monkeypatch.setattr(deadlines, "_loop", lambda loop_s=loop_s: loop_s)
        slowness.cache_clear()
        assert slowness() == pytest.approx(factor)
        assert scaled(2.0) == pytest.approx(2.0 * factor)
    slowness.cache_clear()


def test_waiting_ends_with_the_first_true_result() -> None:
    answers = [None, 0, "", "now", "never asked"]
    assert wait_until(lambda: answers.pop(0), within=30, every=0.001) == "now"
    assert answers == ["never asked"]


def test_waiting_asks_at_least_once_and_gives_up() -> None:
    asked: list[int] = []
    assert wait_until(lambda: asked.append(1), within=0.0) is None
    assert asked


def test_a_machine_that_has_become_slow_meanwhile_gets_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slowness()
    load = 0.0
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(deadlines, "_loop", lambda: 0.0)
    patience = deadlines.Patience(0.01)
    time.sleep(scaled(0.01))
    assert patience.left() == 0
    load = 1000.0
    assert 0 < patience.left() <= 0.1
    time.sleep(0.1)
    assert patience.left() == 0


def test_nothing_escapes_the_limit() -> None:
    before = signal.getsignal(signal.SIGALRM)
    started = time.monotonic()

    def careless() -> None:
        while True:
            with contextlib.suppress(Exception):
                threading.Event().wait(60)

    with pytest.raises(TimeUp) as caught, time_limit(0.05, TimeUp):
        careless()
    assert time.monotonic() - started < 30
    assert caught.value.after_s == scaled(0.05)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_who_is_in_time_notices_nothing() -> None:
    with time_limit(30, TimeUp):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_in_another_thread_there_is_no_limit() -> None:
    done: list[str] = []

    def work() -> None:
        with time_limit(0.0001, TimeUp):
            done.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["done"]
