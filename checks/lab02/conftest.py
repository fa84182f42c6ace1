"""What only the checks of lab 02 need: a probe in the database, a server to stop, the walk of the
migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from labkit import advice, contract, evidence, migrations, postgres, schema
from labkit.episodes import outage as outages
from labkit.episodes.outage import Hang, Outage
from labkit.evidence import Blocked, CheckFailed, Journal, did
from labkit.http import Client
from labkit.postgres import Database
from labkit.probe import Probe
from labkit.project import ProjectError
from labkit.schema import Schema
from labkit.services import Service

HERE = Path(__file__).parent
WALKS = "lab02.migrations.newest_from_empty"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is made beside the checks takes its time: let the checks that need it come last."""
    places = [place for place, item in enumerate(items) if item.path.parent == HERE]
    ours = sorted((items[place] for place in places), key=_waits)
    for place, item in zip(places, ours, strict=True):
        items[place] = item


def _waits(item: pytest.Item) -> bool:
    return not SLOW.keys().isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def table_there(shared_stack) -> bool:
    """Whether `migrate` has made a table for the shared API, which is what all checks build upon."""
    if isinstance(shared_stack, ProjectError):
        return False
    return _has_table(shared_stack.database)


def _has_table(database: Database) -> bool:
    with closing(Probe.of(database)) as probe:
        return bool(probe.value("SELECT to_regclass('tasks') IS NOT NULL"))


@pytest.fixture
def stack(stack, gate, table_there) -> object:
    """The shared API; blocks the check if it has no table to work on."""
    if not table_there:
        raise Blocked(gate, CheckFailed("a table `tasks` in the database once `migrate` has run", "none"))
    return stack


@pytest.fixture
def probe(stack) -> Iterator[Probe]:
    """The admin's eyes in the shared API's database."""
    probe = Probe.of(stack.database)
    yield probe
    probe.close()


@dataclass(frozen=True)
class Own:
    """An API of a check's own, a client of it, and a probe in its database."""

    service: Service
    api: Client
    probe: Probe
    database: Database


@pytest.fixture
def own_api(own_stack) -> Callable[..., AbstractContextManager[Own]]:
    """Like `own_stack`, with a probe in the API's database."""

    @contextmanager
    def own(database: Database | None = None, **options) -> Iterator[Own]:
        settings = " and ".join(f"{name}={value}" for name, value in options.items() if name.isupper())
        did(f"start `api`{' with ' + settings if settings else ''}")
        with own_stack(database, **options) as started, closing(Probe.of(started.database)) as probe:
            yield Own(started.service, started.client, probe, started.database)

    return own


@pytest.fixture(scope="session", autouse=True)
def beside(request, top) -> Iterator[dict[str, Future]]:
    """What takes long and mostly waits, made beside the other checks: fixture name → its result to be."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    makers = {name: maker for name, maker in SLOW.items() if name in asked}
    try:
        the_project = request.getfixturevalue("the_project") if makers else None
    except ProjectError:
        makers = {}
    with ThreadPoolExecutor(max(len(makers), 1)) as pool:
        begun = {name: pool.submit(maker, the_project, request, top) for name, maker in makers.items()}
        if "walk" in begun:
            _tell_the_top(request, top)
        yield begun


@pytest.fixture(scope="session")
def top() -> Future[Schema | None]:
    """The schema that `migrate` makes, None if it fails; for the walk, which cannot ask for fixtures."""
    return Future()


def _tell_the_top(request, top) -> None:
    try:
        made = request.getfixturevalue("_migrated_or_not")
        if isinstance(made, ProjectError):
            top.set_result(None)
            return
        server = request.getfixturevalue("server")
        with server.database("top", template=made.name) as clone, closing(Probe.of(clone)) as probe:
            top.set_result(schema.read(probe))
    except BaseException as error:
        top.set_exception(error)  # or the walk would wait for ever
        raise


def _walk(the_project, request, top) -> migrations.Walk:
    """The walk, and the journal of what was waited for on the way."""
    with (
        evidence.aside(Journal()) as journal,
        postgres.open_server(request.config.option.postgres).database("walk") as database,
    ):
        return migrations.walk(the_project, database, top.result), journal


SLOW = {
    "walk": _walk,
    "outage": lambda the_project, request, top: outages.observe(the_project, contract.load()),
    "hang": lambda the_project, request, top: outages.hang(the_project, contract.load()),
}


@pytest.fixture
def outage(stack, beside) -> Outage:
    """An API on a PostgreSQL that was stopped and started again; all that was seen of it."""
    found = beside["outage"].result()
    _tell(found.journal)
    return found


@pytest.fixture
def hang(stack, beside) -> Hang:
    """An API on a PostgreSQL that hangs."""
    found = beside["hang"].result()
    _tell(found.journal)
    return found


def _tell(of: Journal) -> None:
    """What was done and logged elsewhere, in place of what this check has done so far."""
    journal = evidence.journal()
    journal.actions[:], journal.logs[:] = of.actions, of.logs
    journal.waits.extend(of.waits)


@pytest.fixture
def advised(walk) -> None:
    """Shows what a linter would advise about the migrations, whatever the check's outcome."""
    found = advice.on_statements(walk.statements)
    evidence.journal().advice.extend(f"(not graded) {one}" for one in found)


@pytest.fixture
def walk(the_project, beside) -> migrations.Walk:
    """The walk through the migrations; where it broke off is for the checks to say."""
    walk, journal = beside["walk"].result()
    did(str(walk))
    evidence.journal().waits.extend(journal.waits)
    return walk


@pytest.fixture(scope="session")
def _migrated_or_not(request) -> Database | ProjectError:
    try:
        return request.getfixturevalue("migrated")
    except ProjectError as error:
        return error


@pytest.fixture
def newest(server, _migrated_or_not) -> Iterator[Database]:
    """A database as `migrate` has made it of an empty one; fails the check if that could not be done."""
    if isinstance(_migrated_or_not, ProjectError):
        raise CheckFailed(_migrated_or_not.expected, _migrated_or_not.saw)
    with server.database("newest", template=_migrated_or_not.name) as database:
        yield database


@pytest.fixture
def migrated_database(request) -> Database:
    """The same, with a table `tasks`; blocks the check if there is none."""
    try:
        database = request.getfixturevalue("newest")
    except CheckFailed as cause:
        raise Blocked(WALKS, cause) from None
    if not _has_table(database):
        raise Blocked(WALKS, CheckFailed("a table `tasks` once `migrate` has run", "none"))
    return database
