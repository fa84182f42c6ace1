"""A service's own description: what it may leave out, and how it may be written."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from labkit import contract
from labkit.contract import Contract
from labkit.description import differences

NOTHING: dict[str, list[str]] = {"operations": [], "statuses": [], "parameters": [], "fields": []}


@pytest.fixture(scope="module")
def the_contract() -> Contract:
    return contract.load()


@pytest.fixture
def document(the_contract: Contract) -> dict[str, Any]:
    """The contract as a service would hand it out, free to be changed."""
    return copy.deepcopy(the_contract.document)


def test_the_contract_describes_itself(the_contract: Contract, document: dict[str, Any]) -> None:
    assert differences(the_contract, document) == NOTHING


@pytest.mark.parametrize(
    "document", [None, [], "x", {}, {"paths": []}, {"paths": {"/tasks": None}}, {"paths": {1: 2}}]
)
def test_what_is_no_description_lacks_every_operation(the_contract: Contract, document: object) -> None:
    found = differences(the_contract, document)
    count = sum(len(methods) for methods in the_contract.paths().values())
    assert len(found["operations"]) == count
    assert "POST /tasks is not described" in found["operations"]
    assert found["statuses"] == found["parameters"] == found["fields"] == []


def without_delete(document: dict[str, Any]) -> None:
    del document["paths"]["/tasks/{id}"]["delete"]


def without_404(document: dict[str, Any]) -> None:
    del document["paths"]["/tasks/{id}"]["get"]["responses"]["404"]


def without_limit(document: dict[str, Any]) -> None:
    operation = document["paths"]["/tasks"]["get"]
    kept = [
        p for p in operation["parameters"] if not p.get("$ref", p.get("name", "")).lower().endswith("limit")
    ]
    assert len(kept) < len(operation["parameters"])
    operation["parameters"] = kept


def without_a_request_body(document: dict[str, Any]) -> None:
    del document["paths"]["/tasks"]["post"]["requestBody"]


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        (without_delete, "operations", "DELETE /tasks/{id} is not described"),
        (without_404, "statuses", "GET /tasks/{id} lacks 404"),
        (without_limit, "parameters", "GET /tasks lacks the parameter limit"),
        (
            without_a_request_body,
            "fields",
            "POST /tasks lacks in its request: description, payload, priority, title, type",
        ),
    ],
)
def test_what_is_missing_is_named(
    the_contract: Contract,
    document: dict[str, Any],
    change: Callable[[dict[str, Any]], None],
    kind: str,
    sentence: str,
) -> None:
    change(document)
    assert differences(the_contract, document) == {**NOTHING, kind: [sentence]}


def test_statuses_may_be_ranges_or_left_out_where_any_operation_has_them(
    the_contract: Contract, document: dict[str, Any]
) -> None:
    responses = document["paths"]["/tasks/{id}"]["get"]["responses"]
    for status in [name for name in responses if name.startswith(("4", "5"))]:
        del responses[status]
    responses["4xx"] = {"description": "no"}
    assert differences(the_contract, document) == NOTHING


def test_path_parameters_may_have_any_name(the_contract: Contract, document: dict[str, Any]) -> None:
    document["paths"]["/tasks/{task_id}"] = document["paths"].pop("/tasks/{id}")
    assert differences(the_contract, document) == NOTHING


def test_path_items_and_bodies_may_be_references(the_contract: Contract, document: dict[str, Any]) -> None:
    document["components"]["x/paths~"] = {"a b": document["paths"]["/tasks"]}
    document["paths"]["/tasks"] = {"$ref": "#/components/x~1paths~0/a%20b"}
    assert differences(the_contract, document) == NOTHING


def test_references_that_lead_nowhere_or_in_circles_end(
    the_contract: Contract, document: dict[str, Any]
) -> None:
    circle = {"$ref": "#/components/schemas/Circle"}
    document["components"]["schemas"]["Circle"] = circle
    for where in (circle, {"$ref": "#/nowhere"}, {"$ref": 3}, {"$ref": "https://example.org/schema"}):
        document["paths"]["/info"]["get"]["responses"]["200"] = where
        (sentence,) = differences(the_contract, document)["fields"]
        assert sentence.startswith("GET /info lacks in its answer: ")


def test_a_document_of_any_depth_is_looked_at(the_contract: Contract, document: dict[str, Any]) -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"properties": {"a": deep}, "anyOf": [{"items": {}}]}
    content = {"application/json": {"schema": deep}}
    document["paths"]["/info"]["get"]["responses"]["200"] = {"content": content}
    assert len(differences(the_contract, document)["fields"]) == 1


@pytest.mark.parametrize("word", ["allOf", "anyOf", "oneOf", "prefixItems", "items"])
def test_fields_are_found_wherever_a_schema_has_them(
    the_contract: Contract, document: dict[str, Any], word: str
) -> None:
    name = document["paths"]["/tasks"]["post"]["requestBody"]["$ref"].rpartition("/")[2]
    media_type = document["components"]["requestBodies"][name]["content"]["application/json"]
    inner = media_type["schema"]
    media_type["schema"] = {word: inner if word == "items" else [{}, inner]}
    assert differences(the_contract, document) == NOTHING
