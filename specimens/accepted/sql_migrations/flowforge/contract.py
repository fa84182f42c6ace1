"""The contract at work: openapi.json describes the API, and its schemas judge what comes in."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import jsonschema_rs

from flowforge import PROJECT

DESCRIPTION: dict[str, Any] = json.loads((PROJECT / "openapi.json").read_text(encoding="utf-8"))
_COMPONENTS = DESCRIPTION["components"]
_PROPERTIES = _COMPONENTS["schemas"]["TaskInput"]["properties"]
_DEFAULTS = {name: rule["default"] for name, rule in _PROPERTIES.items() if "default" in rule}
_TASK_INPUT = jsonschema_rs.validator_for(
    {"$ref": "#/components/schemas/TaskInput", "components": _COMPONENTS}
)
_QUERY = {
    parameter["name"]: parameter["schema"]
    for parameter in _COMPONENTS["parameters"].values()
    if parameter["in"] == "query"
}
_ID = re.compile(_COMPONENTS["schemas"]["Id"]["pattern"].removesuffix("$"))
_STATUSES = _COMPONENTS["schemas"]["Status"]["enum"]


class Violation(Exception):
    """A request that the contract does not allow; `fields` says where and why."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields or {}


def task_id(text: str) -> UUID:
    if not _ID.fullmatch(text):
        raise Violation("The path is not valid.", {"id": "not a UUID"})
    return UUID(text)


def task_input(body: bytes) -> dict[str, Any]:
    """What a body sets, with the contract's defaults for what it leaves out."""
    value = _parse(body)
    broken = {place: "a lone surrogate is not text" for place in _lone_surrogates(value)}
    if broken:
        raise Violation("The body is not valid.", {place: text for place, text in broken.items() if place})
    wrong: dict[str, str] = {}
    for error in _TASK_INPUT.iter_errors(value):
        for place in _places(error):
            wrong.setdefault(place, error.message[:200])
    if wrong:
        raise Violation("The body is not valid.", {place: text for place, text in wrong.items() if place})
    fields = _DEFAULTS | value
    return fields | {"priority": int(fields["priority"])}


def list_query(query: Mapping[str, str]) -> tuple[int, int, str | None]:
    """Page, limit, status."""
    wrong: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for name in ("page", "limit"):
        rule = _QUERY[name]
        text = query.get(name, str(rule["default"]))
        if re.fullmatch("[0-9]{1,9}", text) and rule["minimum"] <= int(text) <= rule["maximum"]:
            numbers[name] = int(text)
        else:
            wrong[name] = f"not a number from {rule['minimum']} to {rule['maximum']}"
    status = query.get("status")
    if status is not None and status not in _STATUSES:
        wrong["status"] = f"not one of {_STATUSES}"
    if wrong:
        raise Violation("The query is not valid.", wrong)
    return numbers["page"], numbers["limit"], status


def _parse(body: bytes) -> Any:
    try:
        return json.loads(str(body, "utf-8"), parse_int=_number, parse_float=_number, parse_constant=_number)
    except (ValueError, RecursionError):
        raise Violation("The body is not JSON.") from None


def _number(text: str) -> int | float:
    """A finite double; as an int where that is the same number."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    if abs(number) <= 2**53 and re.fullmatch("-?[0-9]+", text):
        return int(text)
    return number


def _places(error: Any) -> Iterator[str]:
    """The fields that an error is about."""
    kind = error.kind
    match kind.name:
        case "required":
            yield str(kind.property)
        case "additionalProperties":
            yield from map(str, kind.unexpected)
        case _:
            yield ".".join(str(step) for step in error.instance_path)


def _lone_surrogates(value: Any, place: str = "") -> Iterator[str]:
    """Where there are any. JSON can write them, but no text can hold them."""
    if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        yield place
    elif isinstance(value, dict):
        for name, inner in value.items():
            below = f"{place}.{name}" if place else name
            if re.search("[\ud800-\udfff]", name):
                yield place
            else:
                yield from _lone_surrogates(inner, below)
    elif isinstance(value, list):
        for inner in value:
            yield from _lone_surrogates(inner, place)
