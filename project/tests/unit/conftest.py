"""What the unit tests ask for by name."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.application import new_application, replace_store
from tests.memory import MemoryTasks


@pytest.fixture
def tasks() -> MemoryTasks:
    """An empty store, this test's own."""
    return MemoryTasks()


@pytest.fixture
def client(application: FastAPI, tasks: MemoryTasks) -> TestClient:
    """A client of the application on `tasks`, with no network between them."""
    replace_store(application, tasks)
    return TestClient(application)


@pytest.fixture(scope="session")
def application() -> FastAPI:
    """Made once, for it keeps nothing but its store: putting the routes together takes longer than a test."""
    return new_application(MemoryTasks())
