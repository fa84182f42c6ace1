"""The suite as such: can one believe it when it is green, and when it is red?"""

from collections.abc import Iterable

from labkit.checks import check
from labkit.evidence import Blocked, CheckFailed, expect, only, shorten
from labkit.suite.lane import Round
from labkit.suite.lane import told as what_went_wrong
from labkit.suite.wire import Exchange

HANDOUT = "lab-05-testing.md#a-suite-that-can-be-trusted"
INTEGRATION = "integration tests: skipped where there is no database, run where TEST_DATABASE_URL names one"


@check(points=0.7, read=HANDOUT)
def test_passes_twice(told):
    """The whole suite passes, and passes again right after.

    What does your first run leave behind that your second one meets?
    """
    twice = told("twice")
    if not twice.first.green:
        only("run all tests with a database")
    for which, run in (("first", twice.first), ("second", twice.second)):
        expect(run.green, f"every test to pass in the {which} run", what_went_wrong(run))
    expect(bool(twice.sound), "tests that pass", "all of them were skipped")


@check(points=0.7, read=HANDOUT)
def test_any_order_will_do(told):
    """The tests pass in random order, too.

    Which of your tests needs another one to have run before it?
    """
    sound, run = told("twice").sound, told("shuffled")
    fallen = [ran for ran in run.red if ran.test in sound]
    if run.how != "done" or fallen:
        run.ran = fallen
        only("run all tests in another order")
        raise CheckFailed("the tests that pass in their own order to pass in any", what_went_wrong(run))


@check(points=0.7, read=HANDOUT)
def test_units_need_no_database(told):
    """Without a database the unit tests pass, and the others are skipped and say why.

    What does a test about the word "title" want from PostgreSQL?
    """
    run = told("without")
    expect(run.green, "tests that pass without a database, or are skipped", what_went_wrong(run))
    skipped = run.of("skipped")
    expect(bool(run.passed), "unit tests that pass without a database", f"none; {len(skipped)} were skipped")
    silent = [ran.test for ran in skipped if not ran.message.removeprefix("Skipped").strip(": ")]
    expect(
        not silent, "a reason with every test that is skipped", "\n".join(["none is given for", *silent[:4]])
    )


@check(points=0.7, read=HANDOUT)
def test_integration_stands_alone(told):
    """The integration tests pass when they are the only ones that run.

    Who prepares the database when no unit test has been there before?
    """
    run = told("alone")
    if run.green and not run.passed:
        raise Blocked("lab05.suite.reaches_postgresql", CheckFailed(INTEGRATION, _none(run)))
    expect(run.green, "every integration test to pass alone", what_went_wrong(run))


@check(points=0.7, read=HANDOUT)
def test_leaves_nothing_behind(told):
    """After the tests the database holds no task, and nothing else that grows from run to run.

    Who deletes the row of a test that failed half-way?
    """
    first, second = told("twice").left
    grown = second.more_than(first)
    as_it_was = "no task in the test database after the run, and nothing that grows from run to run"
    expect(not grown, as_it_was, "\n".join(grown[:5]))


@check(points=0.7, read=HANDOUT)
def test_reaches_postgresql(told):
    """At least one test has the API store tasks in a real PostgreSQL.

    Your store in memory never raises a UniqueViolation. What else does it forgive?
    """
    twice, alone = told("twice"), told("alone")
    expect(bool(alone.passed or alone.red), INTEGRATION, _none(alone))
    remnants, later = twice.left
    expect(
        remnants.reached(later),
        "the integration tests to store tasks in the database of TEST_DATABASE_URL",
        f"connections to it: {remnants.sessions}; rows inserted into tasks: {remnants.written}",
    )
    expect(
        _have_the_api_store(twice.first, {ran.test for ran in alone.ran}),
        "an integration test that sends a task to the API, and is told that it is stored",
        f"rows inserted into tasks: {remnants.written}; POST or PUT of these tests that has succeeded: none",
    )


def _have_the_api_store(run: Round, tests: set[str]) -> bool:
    """Whether one of these tests has the API store a task, as far as anything that tests do can be seen."""
    around = [*run.elsewhere, *(exchange for shared in run.fixtures.values() for exchange in shared)]
    if not around and not any(ran.exchanges for ran in run.ran):
        return True
    return _stores(around) or any(_stores(ran.exchanges) for ran in run.ran if ran.test in tests)


def _stores(exchanges: Iterable[Exchange]) -> bool:
    return any(method in ("POST", "PUT") and status < 300 for method, _, status in exchanges)


def _none(alone: Round) -> str:
    """Why there are no integration tests, where none has passed or failed."""
    if not alone.ran:
        return "no test was skipped without a database"
    reasons = [f"  {ran.test}: {shorten(ran.message, 120)}" for ran in alone.ran[:3]]
    return "\n".join(["what was skipped without a database was skipped with one, too:", *reasons])
