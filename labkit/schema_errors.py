"""JSON Schema errors in words: where in a body something is wrong, what was expected and what was seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

_TYPES = {
    "null": "null",
    "string": "a string",
    "integer": "an integer",
    "number": "a finite number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
}
_FORMATS = {"uuid": "a UUID", "date-time": "an RFC 3339 time", "uri-reference": "a URL"}
_TELLING = ("required", "type", "const", "enum", "format", "pattern", "minLength", "maxLength")
"""Of several keywords that one value breaks, the first of these tells most."""


@dataclass(frozen=True)
class Mismatch:
    """One place of an instance that does not fit, such as "$.data[].title", and the keyword it breaks."""

    place: str
    rule: str
    wanted: str
    saw: str

    @property
    def name(self) -> str:
        """The place as it reads in a sentence."""
        return self.place.removeprefix("$").removeprefix(".") or "the body"


def mismatches(
    validator: jsonschema_rs.Validator, instance: Any, describe: Callable[[str], str]
) -> list[Mismatch]:
    """One mismatch for each place of `instance` that does not fit the validator's schema.

    `describe` gives the contract's own words for the schema at an absolute keyword location, or "".
    """
    if validator.is_valid(instance):  # nearly always, and much faster than looking for errors
        return []
    found: dict[str, Mismatch] = {}
    for error in validator.iter_errors(instance):
        parent = _place(error.evaluation_path)
        for cause in _causes(error):
            mismatch = _mismatch(parent, cause, describe)
            rival = found.get(mismatch.place)
            if rival is None or _rank(mismatch.rule) < _rank(rival.rule):
                found[mismatch.place] = mismatch
    return list(found.values())


def shorten(value: object, limit: int = 120) -> str:
    """A value as JSON, cut to `limit` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _mismatch(place: str, error: jsonschema_rs.ValidationError, describe: Callable[[str], str]) -> Mismatch:
    rule, saw = error.kind.name, shorten(error.instance)
    if isinstance(error.kind, Kind.Required):
        return Mismatch(f"{place}.{error.kind.property}", rule, "to be there", saw)
    if isinstance(error.kind, Kind.PropertyNames):
        saw = shorten(error.kind.error.instance)
    words = describe(error.absolute_keyword_location or "") if rule == "pattern" else ""
    return Mismatch(place, rule, _wanted(error.kind) + (f" ({words})" if words else ""), saw)


def _causes(error: jsonschema_rs.ValidationError) -> list[jsonschema_rs.ValidationError]:
    """The errors of the only alternative whose type was right; the error itself if there is no such."""
    if not isinstance(error.kind, Kind.AnyOf):
        return [error]
    near = [branch for branch in error.kind.context if all(cause.kind.name != "type" for cause in branch)]
    return near[0] if len(near) == 1 else [error]


def _place(evaluation_path: list[str | int]) -> str:
    """Where in a body a schema path leads: array indexes as [], names that the client chose as *."""
    place = "$"
    steps = iter(evaluation_path)
    for step in steps:
        if step == "properties":
            place += f".{next(steps)}"
        elif step == "items":
            place += "[]"
        elif step == "additionalProperties":
            place += ".*"
    return place


def _rank(rule: str) -> int:
    return _TELLING.index(rule) if rule in _TELLING else len(_TELLING)


def _wanted(kind: Kind) -> str:
    """What a keyword asks for, to be read after "Expected data.title"."""
    match kind:
        case Kind.Type(types=types):
            return f"to be {_one_of(types)}"
        case Kind.AnyOf(context=branches):
            causes = [cause.kind for branch in branches for cause in branch]
            return f"to be {_one_of([name for c in causes if isinstance(c, Kind.Type) for name in c.types])}"
        case Kind.Enum(options=options):
            return "to be one of " + ", ".join(json.dumps(option) for option in options)
        case Kind.Constant(expected_value=value):
            return f"to be {json.dumps(value)}"
        case Kind.Format(format=name):
            return f"to be {_FORMATS.get(name, name)}"
        case Kind.Pattern(pattern=pattern):
            return f"to match {pattern}"
        case Kind.PropertyNames(error=inner):
            return f"to have names that the contract allows, each {_wanted(inner.kind)}"
        case Kind.Minimum(limit=limit):
            return f"to be at least {limit}"
        case Kind.Maximum(limit=limit):
            return f"to be at most {limit}"
        case Kind.MinLength(limit=limit):
            return f"to have at least {limit} characters"
        case Kind.MaxLength(limit=limit):
            return f"to have at most {limit} characters"
        case Kind.MaxItems(limit=limit) | Kind.MaxProperties(limit=limit):
            return f"to have at most {limit} entries"
        case _:
            return f"to satisfy {kind.name}"


def _one_of(types: list[str]) -> str:
    return " or ".join(words for name, words in _TYPES.items() if name in types)
