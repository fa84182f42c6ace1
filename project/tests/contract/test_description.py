"""Every operation does what /openapi.json says of it, whatever it is sent: requests nobody wrote by hand.

Schemathesis makes them from the description, valid ones and broken ones, and holds every answer against it.
A complaint comes with the curl line that provokes it. Make a unit test of that: its name says what was wrong.
"""

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import DataObject, data
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode

from tests.application import new_application
from tests.memory import MemoryTasks

# Schemathesis names the parts of a request as the library requests does. httpx takes them, but frowns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting per-request cookies"),
    pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes"),
]

CONFIG = SchemathesisConfig.from_dict(
    {
        # JSON Schema has no words for some of our rules (no U+0000, for one), so what it allows may be a 400.
        "checks": {"positive_data_acceptance": {"enabled": False}},
    }
)

tasks = MemoryTasks()
application = new_application(tasks)
schema = schemathesis.openapi.from_dict(application.openapi(), config=CONFIG)

OPERATIONS = {result.ok().label: result.ok() for result in schema.get_all_operations()}
ON_TASKS = [label for label in OPERATIONS if "/tasks" in label]
ON_ONE_TASK = [label for label in OPERATIONS if "/tasks/{id}" in label]

# Few, because these tests run all the time, and the same ones each time. A slow machine is no finding.
few_requests = settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def send(case: schemathesis.Case) -> None:
    """Sends the request, and raises if the answer is not one that is described."""
    case.validate_response(TestClient(application).request(**case.as_transport_kwargs()))


@pytest.mark.parametrize("operation", OPERATIONS)
@few_requests
@given(data())
def test_valid_requests(operation: str, data: DataObject) -> None:
    send(data.draw(OPERATIONS[operation].as_strategy()))


@pytest.mark.parametrize("operation", ON_TASKS)
@few_requests
@given(data())
def test_broken_requests(operation: str, data: DataObject) -> None:
    send(data.draw(OPERATIONS[operation].as_strategy(GenerationMode.NEGATIVE)))


@pytest.mark.parametrize("operation", ON_ONE_TASK)
@few_requests
@given(data())
def test_valid_requests_about_a_task_that_exists(operation: str, data: DataObject) -> None:
    path_parameters = {"id": str(tasks.add().id)}
    send(data.draw(OPERATIONS[operation].as_strategy(path_parameters=path_parameters)))
