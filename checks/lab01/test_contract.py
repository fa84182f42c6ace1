"""The service and openapi.yaml agree: in what the service says of itself, and in what it answers."""

import re

import pytest

from labkit import description
from labkit.checks import check
from labkit.evidence import did, expect, listed

HANDOUT = "lab-01-rest-api.md#the-contract"


@pytest.fixture
def differences(stack):
    """How the service's /openapi.json differs from openapi.yaml: kind of difference → sentences."""
    answer = stack.client.get("/openapi.json").expect(200, "with a description of the service")
    return description.differences(stack.client.contract, answer.json)


@check(points=0.2, read=HANDOUT)
def test_describes_its_paths_and_methods(differences):
    """`GET /openapi.json` describes all paths and methods of `openapi.yaml`.

    Who reads this description besides people, and what do they do with it?
    """
    _none(differences["operations"])


@check(points=0.2, read=HANDOUT)
def test_describes_its_answers(differences):
    """`GET /openapi.json` declares, for every operation, the statuses that the contract gives it.

    Your framework describes what it knows. Which of your answers does it not know of?
    """
    _none(differences["statuses"])


@check(points=0.2, read=HANDOUT)
def test_describes_its_parameters_and_bodies(differences):
    """`GET /openapi.json` names every parameter of the contract, and every field of the bodies.

    Could somebody write a client from your description alone?
    """
    _none(differences["parameters"] + differences["fields"])


@check(points=0.4, read=HANDOUT)
def test_answers_with_tasks_keep_to_it(stack):
    """Answers that carry tasks are as `openapi.yaml` says: every field, type, format and status.

    A client is written against the contract alone. At which part of this answer would it stumble?
    """
    _keeps(stack, lambda path, status: path.startswith("/tasks") and status < 400)


@check(points=0.2, read=HANDOUT)
def test_answers_about_the_service_keep_to_it(stack):
    """Answers of `/health`, `/info` and `/openapi.json` are as `openapi.yaml` says.

    What would a monitoring system do with an answer that differs from what was agreed?
    """
    _keeps(stack, lambda path, status: not path.startswith("/tasks") and status < 400)


@check(points=0.4, read=HANDOUT)
def test_errors_keep_to_it(stack):
    """Errors are as `openapi.yaml` says: status, code, message, details.

    How many kinds of errors does a client of yours have to understand?
    """
    _keeps(stack, lambda path, status: status >= 400)


def _none(sentences):
    expect(not sentences, "nothing of openapi.yaml to be missing", listed(sentences, 6))


def _keeps(stack, concerns):
    did("ask for all that openapi.yaml describes, rightly and wrongly")
    sentences = [f"{v.where}: {v.message}" for v in stack.surveyed if concerns(*_place(v))]
    expect(not sentences, "every answer to keep to openapi.yaml", listed(sentences, 5))


def _place(violation):
    """The path and the status that a violation was seen at."""
    seen = re.match(r"\S+ (?P<path>.+?) (?P<status>\d{3})\b", violation.where)
    return seen["path"], int(seen["status"])
