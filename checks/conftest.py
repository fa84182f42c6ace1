"""What the checks of all labs start from: the project, a database, running services, and a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from labkit import contract, evidence, postgres, project, services, survey
from labkit.contract import Contract, Violation
from labkit.deadlines import watch
from labkit.evidence import Blocked, CheckFailed
from labkit.http import Client, identity
from labkit.postgres import Database, Server
from labkit.project import Project, ProjectError
from labkit.services import Service

GATES = {"lab02": "lab02.persistence.works_on_the_database"}
"""The check of a lab that fails, once for all, when the API cannot do the basics; lab 01 has one for each."""


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> str | None:
    """The gate of the lab that the running check belongs to."""
    return GATES.get(request.path.parent.name)


@pytest.fixture(scope="session")
def the_contract() -> Contract:
    """openapi.yaml."""
    return contract.load()


@pytest.fixture(scope="session")
def the_project(pytestconfig: pytest.Config) -> Project:
    """The project under check; ProjectError if its Procfile cannot be read."""
    return project.load(Path(pytestconfig.option.project))


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """A PostgreSQL server."""
    server = postgres.open_server(pytestconfig.option.postgres)
    yield server
    server.close()


@pytest.fixture(scope="session")
def migrated(server: Server, the_project: Project) -> Iterator[Database]:
    """A database in the newest revision, to be cloned; empty if the project has no migrations yet.

    It is sealed: who wants to look inside clones it, whichever lab's checks come first.
    """
    with server.database("template") as database:
        if the_project.has("migrate"):
            ended = services.run(the_project, "migrate", {"DATABASE_URL": database.url}, within=30)
            if ended.exit_code != 0:
                raise ProjectError(
                    "`migrate` to exit with 0 on an empty database",
                    f"it exited with {ended.exit_code}:\n" + "\n".join(ended.last_words()),
                )
        server.seal(database)
        yield database


@dataclass
class Stack:
    """An API on a database of its own. `service` is another one after a crash, in the same place."""

    service: Service
    database: Database
    client: Client
    surveyed: tuple[Violation, ...]
    """Every answer that strays from the contract on an ordinary walk through it."""


@pytest.fixture(scope="session")
def new_stack(
    server: Server, the_project: Project, migrated: Database, the_contract: Contract
) -> Iterator[Callable[..., Stack]]:
    """Starts an API: `new_stack(database=None, surveyed=None, **settings)`; ProjectError if it does not
    start.

    Without a database it gets a fresh one; without a survey it makes one. Ended when the run ends.
    """
    started: list[Stack] = []
    databases: list[Database] = []

    def new(
        database: Database | None = None, surveyed: tuple[Violation, ...] | None = None, **settings: str
    ) -> Stack:
        if database is None:
            database = server.create_database("api", template=migrated.name)
            databases.append(database)
        service = services.start_api(the_project, {"DATABASE_URL": database.url, **settings})
        if surveyed is None:
            surveyed = survey.walk(Client(service.url, the_contract))
            if service.exit_code is not None:  # which step was too much for it is for the checks to find out
                service = services.restart_api(the_project, service)
        client = Client(service.url, the_contract, known={identity(v) for v in surveyed})
        stack = Stack(service, database, client, surveyed)
        started.append(stack)
        return stack

    yield new
    for stack in started:
        stack.service.kill()
    for database in databases:
        server.drop_database(database)


@pytest.fixture(scope="session")
def shared_stack(request: pytest.FixtureRequest) -> Stack | ProjectError:
    """The API that most checks share, or why it did not start."""
    with evidence.recording(evidence.Journal()):
        try:
            new: Callable[..., Stack] = request.getfixturevalue("new_stack")
            return new()
        except ProjectError as error:
            return error


@pytest.fixture
def stack(shared_stack: Stack | ProjectError, gate: str | None, request: pytest.FixtureRequest) -> Stack:
    """The shared API; blocks the check if it does not start. If it has died since, it is started again: who
    crashes in one check has failed that one, not all that follow."""
    if isinstance(shared_stack, ProjectError):
        raise Blocked(gate or "lab01.service.starts", CheckFailed(shared_stack.expected, shared_stack.saw))
    if _has_died(shared_stack):
        the_project = request.getfixturevalue("the_project")
        shared_stack.service = services.restart_api(the_project, shared_stack.service)
    return watched(shared_stack, gate)


def _has_died(stack: Stack) -> bool:
    """A connection that breaks off is a little ahead of the news that the process has died."""
    if stack.client.broke_off:
        stack.client.broke_off = False
        watch(lambda: stack.service.exit_code is not None, 0.5)
    return stack.service.exit_code is not None


@pytest.fixture
def api(stack: Stack) -> Client:
    """A client of the shared API."""
    return stack.client


@pytest.fixture
def own_stack(
    stack: Stack, gate: str | None, request: pytest.FixtureRequest
) -> Callable[..., AbstractContextManager[Stack]]:
    """Starts an API of the check's own with the given settings, and ends it after the block.

    It works on the shared API's database, on `database`, or on an empty one with `fresh=True`.
    """

    @contextmanager
    def own(database: Database | None = None, fresh: bool = False, **settings: str) -> Iterator[Stack]:
        chosen = None if fresh else (database or stack.database)
        new_stack = request.getfixturevalue("new_stack")
        started = watched(new_stack(database=chosen, surveyed=stack.surveyed, **settings), gate)
        try:
            yield started
        finally:
            started.service.kill()

    return own


def watched(stack: Stack, gate: str | None) -> Stack:
    """Make a stack part of the running check: of its evidence, and of what blocks it."""
    stack.client.gate = gate
    evidence.journal().logs.append(stack.service.tail())
    return stack
