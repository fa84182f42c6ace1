"""What the unit tests ask for by name."""

import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app

# TODO lab05#a-store-that-can-be-replaced: since lab 02 your application wants a database. At which place can
# a test hand it something else? Does it have to be asked for, or can it be given?
# TODO lab05#a-store-that-can-be-replaced: what must a store in memory be able to do, and who checks that it
# does it as the real one would?


@pytest.fixture
def client() -> TestClient:
    """A client of a new application, with no network between them."""
    # TODO lab05#a-suite-that-can-be-trusted: this client belongs to one test. Does what it has stored, too?
    return TestClient(create_app())
