"""What only the checks of lab 02 need: a probe in the database, a server to stop, the walk of the
migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass

import pytest

from labkit import advice, contract, evidence, migrations, postgres
from labkit import outage as outages
from labkit.advice import Advice
from labkit.evidence import Blocked, CheckFailed, Journal, did
from labkit.http import Client
from labkit.outage import Hang, Outage
from labkit.postgres import Database
from labkit.probe import Probe
from labkit.project import ProjectError
from labkit.services import Service

WALKS = "lab02.migrations.newest_from_empty"


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
def beside(request) -> Iterator[dict[str, Future]]:
    """What takes long and mostly waits, made beside the other checks: fixture name → its result to be."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    makers = {name: maker for name, maker in SLOW.items() if name in asked}
    try:
        the_project = request.getfixturevalue("the_project") if makers else None
    except ProjectError:
        makers = {}
    with ThreadPoolExecutor(max(len(makers), 1)) as pool:
        yield {name: pool.submit(maker, the_project, request) for name, maker in makers.items()}


def _walk(the_project, request) -> migrations.Walk:
    server = postgres.open_server(request.config.option.postgres)
    with server.database("walk") as database, server.database("spare") as spare:
        return migrations.walk(the_project, database, spare)


def _advice(the_project, request) -> list[Advice]:
    with postgres.open_server(request.config.option.postgres).database("advice") as database:
        return advice.on_migrations(the_project, database)


SLOW = {
    "walk": _walk,
    "advised": _advice,
    "outage": lambda the_project, request: outages.observe(the_project, contract.load()),
    "hang": lambda the_project, request: outages.hang(the_project, contract.load()),
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


@pytest.fixture
def advised(the_project, beside) -> None:
    """Shows what a linter would advise about the migrations, whatever the check's outcome."""
    error = beside["advised"].exception()
    if isinstance(error, ProjectError):
        return  # the checks of the migrations say what is wrong
    found = beside["advised"].result()
    evidence.journal().advice.extend(f"(not graded) {one}" for one in found)


@pytest.fixture
def walk(the_project, beside) -> migrations.Walk:
    """The walk through the migrations; where it broke off is for the checks to say."""
    did("migrate-one until nothing changes, rollback-one likewise, then migrate; rows at every level")
    return beside["walk"].result()


@pytest.fixture(scope="session")
def _migrated_or_not(request) -> Database | ProjectError:
    try:
        return request.getfixturevalue("migrated")
    except ProjectError as error:
        return error


@pytest.fixture
def migrated_database(server, _migrated_or_not) -> Iterator[Database]:
    """A database that `migrate` has brought to the newest revision; blocks the check if it could not."""
    if isinstance(_migrated_or_not, ProjectError):
        raise Blocked(WALKS, CheckFailed(_migrated_or_not.expected, _migrated_or_not.saw))
    with server.database("migrated", template=_migrated_or_not.name) as database:
        yield database
