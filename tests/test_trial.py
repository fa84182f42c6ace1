"""The trial of a student's tests: who waits for whom, and for how long."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit import evidence
from labkit.beside import Performance
from labkit.deadlines import clock_stopped, time_limit
from labkit.evidence import CheckFailed, Journal
from labkit.sabotage.exchange import Request, Response
from labkit.sabotage.saboteurs import SABOTEURS, named, placebo
from labkit.suite import encounters, sources, trial
from labkit.suite.coverage_report import Coverage
from labkit.suite.lane import Round
from labkit.suite.measure import NOT_MEASURED, Target
from labkit.suite.remnants import Remnants
from labkit.suite.trial import Trial, Twice
from labkit.suite.wire import Collected, Ran

PASSED = Ran(1, "test_it.py::test_a", "passed", 0.1, "", [], [("GET", "task", 404)])


class TimeUp(Exception):
    """The check's own limit."""


class Script:
    """A lane whose runs are known beforehand."""

    collected = Collected(["test_it.py::test_a"], [], threads=False)

    def __init__(self, *rounds: Round) -> None:
        self.rounds = list(rounds)
        self.asked: list[tuple[list[str] | None, str | None]] = []

    def run(self, tests: list[str] | None = None, *, saboteur: str | None = None, **_: Any) -> Round:
        self.asked.append((tests, saboteur))
        return self.rounds.pop(0)


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial.remnants, "inspect", lambda database: Remnants({}, 0, 0))
    monkeypatch.setattr(encounters.remnants, "clear", lambda database: None)


@pytest.fixture
def of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trial]:
    """A trial, some of whose parts have ended."""

    def made(**results: Any) -> Trial:
        the = Trial(None, None, ["missing_task_is_null"])  # type: ignore[arg-type]
        for name, result in results.items():
            the._parts[name] = trial.Future()
            the._results[name] = result
            the._parts[name].set_result(Performance(Journal(), None))
        return the

    return made


def test_a_checks_clock_stands_still_while_it_waits(of: Callable[..., Trial]) -> None:
    """Else a suite that may take a minute would fail the first check, which waits for all of its runs."""
    the = of()
    the._parts["twice"] = trial.Future()
    the._results["twice"] = "told"

    def end() -> None:
        time.sleep(0.4)
        the._parts["twice"].set_result(Performance(Journal(), None))

    ending = threading.Thread(target=end)
    with evidence.recording(Journal()), time_limit(0.1, lambda limit: TimeUp()):
        ending.start()
        assert the.told("twice") == "told"
    ending.join()


def test_a_checks_clock_goes_on_afterwards() -> None:
    def wait() -> None:
        with time_limit(0.1, lambda limit: TimeUp()):
            with clock_stopped():
                time.sleep(0.2)
            threading.Event().wait(20)

    with pytest.raises(TimeUp):
        wait()


def test_a_suite_that_hangs_is_not_waited_for_twice(of: Callable[..., Trial]) -> None:
    lane = Script(Round(how="late"))
    twice = of()._twice(lane, None)  # type: ignore[arg-type]
    assert (twice.first.how, twice.second.how) == ("late", "late")


def failed(test: str = PASSED.test) -> Round:
    return Round([Ran(1, test, "failed", 0.1, "assert 200 == 404", [], [])])


def passed() -> Round:
    return Round([PASSED])


def sound() -> Twice:
    nothing = Remnants({}, 0, 0)
    return Twice([PASSED.test], passed(), passed(), (nothing, nothing))


@pytest.mark.parametrize(
    ("rounds", "noticed", "unsure"),
    [
        ((failed(), failed(), passed()), True, False),
        ((failed(), failed(), failed()), False, True),  # alone, it fails when nothing is changed as well
        ((failed(), passed(), passed()), False, True),
        ((passed(),), False, False),
        ((Round(how="late"),), False, False),
        ((Round([Ran(1, PASSED.test, "error", 0.1, "in a fixture", [], [])]),), False, False),
    ],
)
def test_who_has_noticed(
    of: Callable[..., Trial], rounds: tuple[Round, ...], noticed: bool, unsure: bool
) -> None:
    the = of(twice=sound(), without=passed())
    with evidence.recording(Journal()):
        notice = the._face(Script(*rounds), None, "missing_task_is_null")  # type: ignore[arg-type]
    assert notice.met == [PASSED.test]
    assert bool(notice.by) is noticed
    assert bool(notice.unsure) is unsure


def test_what_a_test_does_alone_is_asked_once(of: Callable[..., Trial]) -> None:
    the = of(twice=sound(), without=passed())
    lane = Script(failed(), failed(), passed(), failed(), failed())
    with evidence.recording(Journal()):
        for _ in range(2):
            assert the._face(lane, None, "missing_task_is_null").by  # type: ignore[arg-type]
    assert [saboteur for _, saboteur in lane.asked].count(placebo("missing_task_is_null")) == 1


def test_a_placebo_sits_where_the_saboteur_would_and_changes_nothing() -> None:
    sick = SABOTEURS["missing_task_is_null"]
    sham = named(placebo("missing_task_is_null"))
    assert sham is not None
    assert sham.meddles("GET", "task") == sick.meddles("GET", "task") is True
    request, missing = Request("GET", "/tasks/7"), Response(404, (), b"{}")
    for saboteur, status in ((sham, 404), (sick, 200)):
        conversation = saboteur.converse(request)
        assert next(conversation) == request
        with pytest.raises(StopIteration) as end:
            conversation.send(missing)
        assert end.value.value.status == status


def test_sources_that_the_tests_have_changed_are_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial.coverage_report, "read", lambda target, figures: Coverage(100.0, 1, []))
    package = tmp_path / "api_service"
    package.mkdir()
    for name in ("kept", "emptied", "removed"):
        (package / f"{name}.py").write_text("print('one')\n")
    target = Target(package)
    before = sources.read(target)
    (package / "notes.txt").write_text("not measured")
    assert trial._coverage(target, tmp_path, before).percent == 100
    (package / "emptied.py").write_text("")
    (package / "removed.py").unlink()
    (package / "padding.py").write_text("print('two')\n")
    with pytest.raises(CheckFailed) as failure:
        trial._coverage(target, tmp_path, before)
    assert str(failure.value.saw).splitlines() == [
        "api_service/removed.py is gone",
        "api_service/padding.py is new",
        "api_service/emptied.py has changed",
    ]


def test_what_is_not_measured_may_change(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "main.py").write_text("print('one')\n")
    before = sources.read(Target(tmp_path, NOT_MEASURED))
    (tmp_path / "tests" / "test_it.py").write_text("print('two')\n")
    assert sources.read(Target(tmp_path, NOT_MEASURED)) == before != {}


@pytest.mark.parametrize(
    ("rounds", "again_green", "any_order"),
    [
        ((passed(), passed()), True, True),
        ((passed(), failed(), failed(), passed()), True, False),  # backwards it fails, and else it does not
        ((passed(), failed(), failed(), failed()), False, True),  # it fails whenever it is not the first
        ((passed(), failed(), passed()), False, True),  # it fails now and then
    ],
)
def test_the_second_run_is_backwards_and_tells_order_from_repetition(
    of: Callable[..., Trial], rounds: tuple[Round, ...], again_green: bool, any_order: bool
) -> None:
    the = of(without=passed())
    lane = Script(*rounds)
    lane.collected = Collected(["a", "b"], [], threads=False)
    with evidence.recording(Journal()):
        twice = the._twice(lane, None)  # type: ignore[arg-type]
        assert the._shuffled().green is any_order
    assert twice.second.green is again_green
    assert [tests for tests, _ in lane.asked] == [None, ["b", "a"], ["b", "a"], None][: len(rounds)]


@pytest.mark.parametrize(
    ("rounds", "green", "any_order"),
    [((passed(),), True, True), ((failed(), passed()), True, False), ((failed(), failed()), False, True)],
)
def test_without_a_database_the_order_is_drawn(
    of: Callable[..., Trial], rounds: tuple[Round, ...], green: bool, any_order: bool
) -> None:
    the = of(without=passed())
    with evidence.recording(Journal()):
        assert the._without(Script(*rounds)).green is green  # type: ignore[arg-type]
        assert the._shuffled().green is any_order


def test_a_file_that_needs_a_database_to_be_loaded_is_told(of: Callable[..., Trial]) -> None:
    lane = Script()
    lane.collected = Collected([], ["test_it.py: KeyError: 'TEST_DATABASE_URL'"], threads=False)
    with pytest.raises(CheckFailed) as failure:
        of()._without(lane)  # type: ignore[arg-type]
    assert "TEST_DATABASE_URL" in failure.value.saw


def test_what_the_units_do_not_notice_waits_for_the_others(of: Callable[..., Trial]) -> None:
    the = of(twice=sound(), without=passed())
    the._parts["missing_task_is_null"] = trial.Future()
    the._left.append("missing_task_is_null")
    with evidence.recording(Journal()):
        the._face_units(Script(passed()))  # type: ignore[arg-type]
    assert not the._parts["missing_task_is_null"].done()
    assert the._next_bug() == "missing_task_is_null"
    the._no_more_units.set()
    assert the._next_bug() is None
