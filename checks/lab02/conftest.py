"""What only the checks of lab 02 need: a probe in the database, a server to stop, the walk of the migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from labkit import evidence, migrations, postgres, services
from labkit.evidence import Blocked, CheckFailed
from labkit.http import Client
from labkit.postgres import Database, PrivateServer
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
def own_api(stack, gate, request) -> Callable[..., AbstractContextManager[Own]]:
    """Starts an API of the check's own: on the shared API's database, on `database`, or `fresh=True`."""

    @contextmanager
    def own(database: Database | None = None, fresh: bool = False, **settings: str) -> Iterator[Own]:
        chosen = None if fresh else (database or stack.database)
        started = request.getfixturevalue("new_stack")(database=chosen, surveyed=stack.surveyed, **settings)
        started.client.gate = gate
        evidence.journal().logs.append(started.service.tail())
        probe = Probe.of(started.database)
        try:
            yield Own(started.service, started.client, probe, started.database)
        finally:
            started.service.kill()
            probe.close()

    return own


@pytest.fixture(scope="module")
def private() -> Iterator[PrivateServer]:
    """A PostgreSQL server that nobody else uses, to be stopped and frozen."""
    with postgres.private_server() as server:
        yield server


@pytest.fixture
def outage(stack, private, the_project, own_api) -> Iterator[tuple[PrivateServer, Own]]:
    """A private server, running, and an API on a migrated database in it; the server runs again afterwards."""
    private.start()
    database = private.server.create_database("outage")
    try:
        services.run(the_project, "migrate", {"DATABASE_URL": database.url}, within=30)
        with own_api(database) as own:
            own.api.get("/tasks").expect(200)
            yield private, own
    finally:
        private.thaw()
        private.start()


@pytest.fixture(scope="session", autouse=True)
def walking(request, server) -> Iterator[Future[migrations.Walk] | None]:
    """The walk through the migrations, made beside the other checks; None where nobody asks for it."""
    asked = any("walk" in getattr(item, "fixturenames", ()) for item in request.session.items)
    if not asked:
        yield None
        return
    try:
        the_project = request.getfixturevalue("the_project")
    except ProjectError:
        yield None
        return
    with server.database("walk") as database, ThreadPoolExecutor(1) as pool:
        yield pool.submit(migrations.walk, the_project, database)


@pytest.fixture
def walk(walking) -> migrations.Walk:
    """The walk; blocks the check if it could not begin or did not reach the newest revision."""
    if walking is None:
        raise Blocked(WALKS, CheckFailed("a Procfile that can be read", "none"))
    evidence.did(
        "migrate-one until nothing changes, rollback-one likewise, then migrate; rows at every level"
    )
    try:
        found = walking.result()
    except ProjectError as error:
        raise Blocked(WALKS, CheckFailed(error.expected, error.saw)) from None
    return found


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
