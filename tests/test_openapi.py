"""openapi.yaml is a good contract: valid OpenAPI, and what our own rules ask for.

Every rule is one small function that yields sentences: the place, what is wrong there, what to do about it.
Each is also shown a contract that breaks it, for a rule that cannot complain is none.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from labkit import contract

Document = dict[str, Any]
Rule = Callable[[Document], Iterator[str]]

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}

STATUSES = {
    "GET /health": {"200", "503"},
    "GET /info": {"200"},
    "GET /openapi.json": {"200"},
    "GET /tasks": {"200", "400", "500", "503"},
    "POST /tasks": {"201", "400", "413", "415", "500", "503"},
    "GET /tasks/{id}": {"200", "400", "404", "500", "503"},
    "PUT /tasks/{id}": {"200", "400", "404", "413", "415", "500", "503"},
    "DELETE /tasks/{id}": {"204", "400", "404", "500", "503"},
}


@pytest.fixture(scope="module")
def document() -> Document:
    return contract.load().document


def test_is_valid_openapi(document):
    validate(document)


# --- our own rules ---


def operations_are_described(document: Document) -> Iterator[str]:
    known = {tag["name"] for tag in document["tags"]}
    for place, operation in operations(document):
        for key in ("operationId", "summary", "description"):
            if not operation.get(key):
                yield f"{place}: no {key}; give it one"
        tags = operation.get("tags", [])
        if not tags or not set(tags) <= known:
            yield f"{place}: tags are {tags}; use one of {sorted(known)}"


def strings_are_bounded(document: Document) -> Iterator[str]:
    for place, schema in schemas(document):
        # A request id is never refused, whatever it is: a bound on that parameter would be a lie.
        if place == "#/components/parameters/RequestId/schema":
            continue
        if "string" in types(schema) and not schema.keys() & {"maxLength", "enum", "const"}:
            yield f"{place}: a string of any length; add maxLength or enum"


def integers_are_bounded(document: Document) -> Iterator[str]:
    for place, schema in schemas(document):
        if "integer" in types(schema) and not {"minimum", "maximum"} <= schema.keys():
            yield f"{place}: an integer of any size; add minimum and maximum"


def lists_are_bounded(document: Document) -> Iterator[str]:
    for place, schema in schemas(document):
        if "array" in types(schema) and "maxItems" not in schema:
            yield f"{place}: a list of any length; add maxItems"


def patterns_mean_the_whole_string(document: Document) -> Iterator[str]:
    for place, schema in schemas(document):
        pattern = schema.get("pattern", "^$")
        if not (pattern.startswith("^") and pattern.endswith("$")):
            yield f"{place}: {pattern} matches a part of the string, too; write ^…$"


def request_bodies_are_closed(document: Document) -> Iterator[str]:
    for place, operation in operations(document):
        if "requestBody" in operation:
            media = resolve(document, operation["requestBody"])["content"]["application/json"]
            if resolve(document, media["schema"]).get("additionalProperties") is not False:
                yield f"{place}: the body may hold unknown fields; add additionalProperties: false"


def responses_have_schemas(document: Document) -> Iterator[str]:
    for place, status, response in responses(document):
        media = response.get("content", {})
        if status == "204":
            if media:
                yield f"{place}: a 204 has no body; remove its content"
        elif list(media) != ["application/json"] or "schema" not in media["application/json"]:
            yield f"{place}: no schema for application/json; add one"


def responses_carry_a_request_id(document: Document) -> Iterator[str]:
    for place, _, response in responses(document):
        header = resolve(document, response.get("headers", {}).get("X-Request-ID", {}))
        if not header.get("required"):
            yield f"{place}: no X-Request-ID; add the header from components"


def statuses_are_the_contracts(document: Document) -> Iterator[str]:
    declared = {place: set(operation["responses"]) for place, operation in operations(document)}
    for place in sorted(declared.keys() | STATUSES.keys()):
        found, wanted = declared.get(place, set()), STATUSES.get(place, set())
        if found != wanted:
            yield f"{place}: declares {sorted(found)}; it should be {sorted(wanted)}"


def examples_fit(document: Document) -> Iterator[str]:
    for place, node in nodes(document):
        if not isinstance(node, dict) or "schema" not in node:
            continue
        check = validator(document, f"{place}/schema")
        examples = {name: resolve(document, e)["value"] for name, e in node.get("examples", {}).items()}
        if "example" in node:
            examples["example"] = node["example"]
        if "/content/" in place and not examples:
            yield f"{place}: no example; add one"
        for name, example in examples.items():
            for error in check.iter_errors(example):
                yield f"{place}: the example {name} does not fit ({error.message}); mend one of the two"


def defaults_fit(document: Document) -> Iterator[str]:
    for place, schema in schemas(document):
        if "default" in schema:
            for error in validator(document, place).iter_errors(schema["default"]):
                yield f"{place}: the default does not fit ({error.message}); mend one of the two"


def links_resolve(document: Document) -> Iterator[str]:
    takes = {op["operationId"]: parameters_of(document, place) for place, op in operations(document)}
    for place, _, response in responses(document):
        for name, link in response.get("links", {}).items():
            target = link["operationId"]
            if target not in takes:
                yield f"{place}: the link {name} leads to {target}; name an operationId"
                continue
            for parameter, source in link["parameters"].items():
                if parameter not in takes[target]:
                    yield f"{place}: the link {name} sets {parameter}; {target} takes {takes[target]}"
                if source.startswith("$response.body#") and not has_field(document, response, source):
                    yield f"{place}: the link {name} reads {source}; name a required field of that response"


# --- a contract that breaks each rule ---


def drop(*path: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        node: Any = document
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]

    return change


def put(value: object, *path: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        node: Any = document
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


TASK = ("components", "schemas", "Task", "properties")
CREATED = ("paths", "/tasks", "post", "responses", "201")
BROKEN: list[tuple[Rule, Callable[[Document], None]]] = [
    (operations_are_described, drop("paths", "/tasks", "get", "operationId")),
    (operations_are_described, put(["jobs"], "paths", "/tasks", "get", "tags")),
    (strings_are_bounded, drop(*TASK, "error", "maxLength")),
    (strings_are_bounded, put("string", *TASK, "result", "type")),
    (integers_are_bounded, drop(*TASK, "attempts", "maximum")),
    (lists_are_bounded, drop("components", "schemas", "TaskListEnvelope", "properties", "data", "maxItems")),
    (patterns_mean_the_whole_string, put("[a-z]+", "components", "schemas", "Type", "pattern")),
    (request_bodies_are_closed, drop("components", "schemas", "TaskInput", "additionalProperties")),
    (responses_have_schemas, drop(*CREATED, "content", "application/json", "schema")),
    (responses_have_schemas, put({}, "paths", "/info", "get", "responses", "200", "content")),
    (responses_carry_a_request_id, drop("components", "responses", "NotFound", "headers")),
    (statuses_are_the_contracts, drop("paths", "/tasks/{id}", "put", "responses", "415")),
    (statuses_are_the_contracts, put({}, "paths", "/info", "get", "responses", "404")),
    (examples_fit, put("soon", "components", "examples", "NewTask", "value", "data", "status")),
    (examples_fit, put("", "components", "parameters", "Status", "example")),
    (defaults_fit, put(500, "components", "schemas", "TaskInput", "properties", "priority", "default")),
    (links_resolve, put("readTasks", *CREATED, "links", "read", "operationId")),
    (links_resolve, put({"path.key": "$response.body#/data/id"}, *CREATED, "links", "read", "parameters")),
    (links_resolve, put({"path.id": "$response.body#/data/key"}, *CREATED, "links", "read", "parameters")),
]
RULES = list(dict.fromkeys(rule for rule, _ in BROKEN))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_contract_keeps(rule, document):
    assert list(rule(document)) == []


@pytest.mark.parametrize(("rule", "change"), BROKEN)
def test_a_rule_complains(rule, change, document):
    broken = copy.deepcopy(document)
    change(broken)
    assert list(rule(broken))


# --- patterns mean the same in Python, where the fuzzer makes strings, and in Rust, where we check them ---

BLANK = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2005\u200a\u2028\u2029\u202f\u205f\u3000"


@pytest.mark.parametrize(
    ("schema", "text", "fits"),
    [
        ("Title", "x", True),
        ("Title", f"{BLANK}x{BLANK}", True),
        ("Title", "\n.\n", True),
        ("Title", "\u200b", True),  # a zero-width space is not White_Space
        ("Title", "😀" * 200, True),
        ("Title", "😀" * 201, False),
        ("Title", "", False),
        ("Title", BLANK, False),
        ("Title", "\n", False),
        ("Title", "a\0", False),
        ("Title", "\0a", False),
        ("Text", "", True),
        ("Text", "two\nlines\n", True),
        ("Text", "x" * 2000, True),
        ("Text", "x" * 2001, False),
        ("Text", "two\n\0lines", False),
        ("Type", "a", True),
        ("Type", "a" + "_" * 49, True),
        ("Type", "a" + "_" * 50, False),
        ("Type", "echo\n", False),
        ("Type", "Echo", False),
        ("Type", "écho", False),
        ("Type", "", False),
        ("RequestId", "x" * 128, True),
        ("RequestId", "x" * 129, False),
        ("RequestId", "a b", False),
        ("RequestId", "", False),
        ("Id", "0B6C3C1E-5d1f-4a53-9d0e-6f0a4f1c2d3b", True),
        ("Id", "00000000-0000-0000-0000-000000000000", True),
        ("Id", "{0b6c3c1e-5d1f-4a53-9d0e-6f0a4f1c2d3}", False),
        ("Id", "0b6c3c1e5d1f4a539d0e6f0a4f1c2d3b", False),
        ("Time", "2026-03-02T09:30:00Z", True),
        ("Time", "2026-03-02t09:30:00.123456789z", True),
        ("Time", "2026-03-02T09:30:00+00:00", True),
        ("Time", "2026-03-02T09:30:00+01:00", False),
        ("Time", "2026-03-02T09:30:00", False),
        ("Time", "2026-02-30T09:30:00Z", False),
    ],
)
def test_strings(schema, text, fits, document):
    pointer = f"#/components/schemas/{schema}"
    assert validator(document, pointer).is_valid(text) is fits
    pattern = document["components"]["schemas"][schema]["pattern"]
    in_rust = jsonschema_rs.Draft202012Validator({"pattern": pattern}).is_valid(text)
    # Python's $ also matches before a line feed at the end; JSON Schema's does not.
    in_python = re.search(pattern.removesuffix("$") + r"\Z", text) is not None
    assert in_python is in_rust


@pytest.mark.parametrize(
    ("task", "fits"),
    [
        ({"title": "x"}, True),
        (
            {
                "title": "x",
                "priority": -100.0,
                "payload": {"a": None, "b": 1e308, "c": True, "d": "", "e": -1},
            },
            True,
        ),
        ({"title": "x", "payload": {f"n{number}": 0 for number in range(50)}}, True),
        ({"title": "x", "payload": {f"n{number}": 0 for number in range(51)}}, False),
        ({"title": "x", "payload": {"a": {}}}, False),
        ({"title": "x", "payload": {"a": "y" * 1001}}, False),
        ({"title": "x", "payload": {"a b": 1}}, False),
        ({"title": "x", "payload": {"a\n": 1}}, False),
        ({"title": "x", "payload": None}, False),
        ({"title": "x", "priority": True}, False),
        ({"title": "x", "priority": "3"}, False),
        ({"title": "x", "priority": 3.5}, False),
        ({"title": "x", "priority": 101}, False),
        ({"title": "x", "status": "completed"}, False),
        ({"title": None}, False),
        ({}, False),
        ([], False),
    ],
)
def test_what_a_client_may_send(task, fits, document):
    assert validator(document, "#/components/schemas/TaskInput").is_valid(task) is fits


# --- walking through a document ---


def nodes(node: Any, place: str = "#") -> Iterator[tuple[str, Any]]:
    yield place, node
    if isinstance(node, dict):
        for key, child in node.items():
            yield from nodes(child, f"{place}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from nodes(child, f"{place}/{index}")


def schemas(document: Document) -> Iterator[tuple[str, Document]]:
    """Every object that says something about a type, with its place; examples are left out."""
    for place, node in nodes(document):
        if isinstance(node, dict) and not re.search("/examples?/|/properties$", place):
            yield place, node


def types(schema: Document) -> set[str]:
    found = schema.get("type", [])
    return set(found) if isinstance(found, list) else {found}


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, item in document["paths"].items():
        for method in item.keys() & METHODS:
            yield f"{method.upper()} {path}", item[method]


def responses(document: Document) -> Iterator[tuple[str, str, Document]]:
    for place, operation in operations(document):
        for status, response in operation["responses"].items():
            yield f"{place} {status}", status, resolve(document, response)


def parameters_of(document: Document, place: str) -> set[str]:
    method, path = place.split()
    item = document["paths"][path]
    listed = item.get("parameters", []) + item[method.lower()].get("parameters", [])
    return {f"{p['in']}.{p['name']}" for p in (resolve(document, parameter) for parameter in listed)}


def has_field(document: Document, response: Document, source: str) -> bool:
    schema = resolve(document, response["content"]["application/json"]["schema"])
    for name in source.partition("#/")[2].split("/"):
        if name not in schema.get("required", []):
            return False
        schema = resolve(document, schema["properties"][name])
    return True


def resolve(document: Document, node: Document) -> Document:
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def validator(document: Document, pointer: str) -> jsonschema_rs.Validator:
    registry = jsonschema_rs.Registry([("urn:contract", document)])
    escaped = pointer.replace("{", "%7B").replace("}", "%7D")
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"urn:contract{escaped}"}, registry=registry, validate_formats=True
    )
