"""Deadlines: polling, scaling, and the limit that nothing escapes."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from labkit import deadlines, evidence
from labkit.deadlines import allowed, fixed, scaled, slowness, time_limit, wait_until
from labkit.errors import UsageError
from labkit.evidence import Journal, TimeUp, Wait


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """LAB_PATIENCE may be set with it; what has been read of it before is forgotten, and afterwards too."""
    deadlines.patience.cache_clear()
    yield monkeypatch
    deadlines.patience.cache_clear()


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """How fast the machine is may be set with it; what has been measured is forgotten, and afterwards too."""
    slowness.cache_clear()
    yield monkeypatch
    slowness.cache_clear()


def test_a_slow_machine_gets_more_time(speed: pytest.MonkeyPatch) -> None:
    for loop_s, factor in ((0.0001, 1.0), (deadlines._FAST_LOOP_S * 3, 3.0), (60.0, 10.0)):
        speed.setattr(deadlines, "_loop", lambda loop_s=loop_s: loop_s)
        slowness.cache_clear()
        assert slowness() == pytest.approx(factor)
        assert scaled(2.0) == pytest.approx(2.0 * factor)


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


def test_more_patience_is_for_what_is_ours(patience: pytest.MonkeyPatch) -> None:
    patience.setenv("LAB_PATIENCE", "2")
    assert allowed(5) == pytest.approx(scaled(10))
    assert allowed(fixed(5)) == pytest.approx(scaled(5))
    assert allowed(fixed(5) + 3) == pytest.approx(scaled(11))


@pytest.mark.parametrize("text", ["", " ", "1", "1.5", "10"])
def test_patience_is_a_factor(patience: pytest.MonkeyPatch, text: str) -> None:
    patience.setenv("LAB_PATIENCE", text)
    assert deadlines.patience() == float(text.strip() or 1)


@pytest.mark.parametrize("text", ["much", "0", "0.5", "-2", "nan", "inf", "11", "2x"])
def test_no_other_patience_will_do(patience: pytest.MonkeyPatch, text: str) -> None:
    patience.setenv("LAB_PATIENCE", text)
    with pytest.raises(UsageError, match=r"LAB_PATIENCE.*from 1 to 10"):
        deadlines.patience()


def test_a_deadline_is_a_number_of_seconds() -> None:
    lease = fixed(1.5)
    assert (lease, lease + 2.0, lease + fixed(2.0)) == (1.5, 3.5, 3.5)
    assert [within.fixed for within in (lease, lease + 2.0, lease + fixed(2.0))] == [1.5, 1.5, 3.5]


def test_every_wait_is_on_record() -> None:
    answers = iter([None, "now"])
    with evidence.recording(Journal()) as journal:
        assert wait_until(lambda: next(answers), within=30, every=0.05)
        assert not wait_until(lambda: None, within=fixed(0.01) + 0.01, every=0.001)
        assert not wait_until(lambda: None, within=0)  # a question, not a deadline
        with pytest.raises(TimeUp), time_limit(0.03, TimeUp):
            threading.Event().wait(30)
    vain, limit, met = journal.longest_waits()
    assert (vain.given, vain.fixed, vain.met) == (0.02, 0.01, False)
    assert (limit.given, limit.met) == (0.03, False)
    assert (met.given, met.fixed, met.met) == (30.0, 0.0, True)
    assert 0 < met.took < 30


def test_the_longest_wait_for_each_deadline_counts_and_first_one_in_vain() -> None:
    journal = Journal()
    journal.waits += [Wait(5, 0, 1, True), Wait(5, 0, 3, True), Wait(5, 0, 2, True), Wait(5, 2, 1, True)]
    assert journal.longest_waits() == (Wait(5, 0, 3, True), Wait(5, 2, 1, True))
    journal.waits += [Wait(5, 0, 2.5, False)]
    assert journal.longest_waits() == (Wait(5, 0, 2.5, False), Wait(5, 2, 1, True))


def test_waits_belong_to_the_check_that_is_asked_in_the_end() -> None:
    with evidence.recording(Journal()) as of_the_check:
        with evidence.recording(Journal()):
            wait_until(lambda: True, within=3)
    assert [wait.given for wait in of_the_check.waits] == [3]
    with evidence.recording(Journal()) as of_another, evidence.aside(Journal()) as of_the_play:
        with evidence.aside(Journal()):
            wait_until(lambda: True, within=4)
    assert [wait.given for wait in of_the_play.waits] == [4]
    assert not of_another.waits


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
    assert caught.value.after_s == pytest.approx(scaled(0.05), abs=0.05)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_machine_that_becomes_slower_gets_more_time(speed: pytest.MonkeyPatch) -> None:
    loops = iter([0.012, 0.012, 0.012, *[0.03] * 6])
    speed.setattr(deadlines, "_loop", lambda: next(loops))
    speed.setattr(deadlines, "_crowd", lambda: 1.0)
    started = time.monotonic()
    with pytest.raises(TimeUp) as caught, time_limit(0.1, TimeUp):
        threading.Event().wait(60)
    assert caught.value.after_s == pytest.approx(0.5)
    assert 0.5 <= time.monotonic() - started < 30


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
