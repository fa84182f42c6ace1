"""What clients may send."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

STATUSES = ("pending", "processing", "completed", "failed")
_WHITE_SPACE = re.compile(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,49}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class Invalid(Exception):
    """What is wrong with a request: field and message, for each field at fault."""

    def __init__(self, message: str, problems: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems or {}


def task_id(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise Invalid("The id is not valid.", {"id": "must be a UUID in its hyphenated form"})
    return text.lower()


def list_query(query: Mapping[str, str]) -> tuple[int, int, str | None]:
    """Page, limit and status."""
    problems: dict[str, str] = {}
    page = _whole_number(query, "page", 1, 100_000, problems)
    limit = _whole_number(query, "limit", 20, 100, problems)
    status = query.get("status")
    if status is not None and status not in STATUSES:
        problems["status"] = f"must be one of {', '.join(STATUSES)}"
    if problems:
        raise Invalid("The query is not valid.", problems)
    return page, limit, status


def parse_body(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
        return json.loads(text, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Invalid("The body is not JSON in UTF-8.") from None


def task_input(body: Any) -> dict[str, Any]:
    """All that the client sets, defaults filled in."""
    if not isinstance(body, dict):
        raise Invalid("The body must be an object.")
    problems: dict[str, str] = {}
    for name in body.keys() - _RULES.keys():
        problems[_shown(name)] = "is not a field that can be set"
    fields: dict[str, Any] = {}
    for name, (default, rule) in _RULES.items():
        if name not in body and default is not None:
            fields[name] = default
        else:
            fields[name] = rule(name, body.get(name), problems)
    if problems:
        raise Invalid("The task is not valid.", problems)
    return fields


def _title(name: str, value: Any, problems: dict[str, str]) -> Any:
    _text(name, value, 200, problems)
    if isinstance(value, str) and _WHITE_SPACE.fullmatch(value):
        problems[name] = "must hold more than white space"
    return value


def _description(name: str, value: Any, problems: dict[str, str]) -> Any:
    _text(name, value, 2000, problems)
    return value


def _priority(name: str, value: Any, problems: dict[str, str]) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        problems[name] = "must be an integer"
    elif not -100 <= value <= 100:
        problems[name] = "must be between -100 and 100"
    else:
        return int(value)
    return None


def _type(name: str, value: Any, problems: dict[str, str]) -> Any:
    if not isinstance(value, str) or not _TYPE.fullmatch(value):
        problems[name] = f"must match ^{_TYPE.pattern}$"
    return value


def _payload(name: str, value: Any, problems: dict[str, str]) -> Any:
    if not isinstance(value, dict):
        problems[name] = "must be an object"
    elif len(value) > 50:
        problems[name] = "must not have more than 50 entries"
    else:
        for key, entry in value.items():
            place = f"{name}.{_shown(key)}"
            if not _NAME.fullmatch(key):
                problems[place] = f"must have a name that matches ^{_NAME.pattern}$"
            elif isinstance(entry, dict | list):
                problems[place] = "must be a text, a number, a boolean or null"
            elif isinstance(entry, str):
                _text(place, entry, 1000, problems)
    return value


_RULES = {
    "title": (None, _title),
    "description": ("", _description),
    "priority": (0, _priority),
    "type": ("noop", _type),
    "payload": ({}, _payload),
}


def _text(place: str, value: Any, longest: int, problems: dict[str, str]) -> None:
    if not isinstance(value, str):
        problems[place] = "is required and must be a text" if value is None else "must be a text"
    elif len(value) > longest:
        problems[place] = f"must not be longer than {longest} characters"
    elif _UNSTORABLE.search(value):
        problems[place] = "must not hold U+0000 or a lone surrogate"


def _whole_number(
    query: Mapping[str, str], name: str, default: int, largest: int, problems: dict[str, str]
) -> int:
    text = query.get(name)
    if text is None:
        return default
    digits = text.lstrip("0")
    if not re.fullmatch("[0-9]+", text) or len(digits) > 6 or not 1 <= int(digits or "0") <= largest:
        problems[name] = f"must be a whole number from 1 to {largest}"
        return default
    return int(digits)


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _parse_int(text: str) -> int | float:
    """Integers that a double holds exactly stay integers; the others are what a double makes of them."""
    number = _parse_float(text)
    return int(text) if abs(number) < 2**53 else number


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _shown(name: str) -> str:
    """A name that the client made up, fit to be shown to it."""
    return name[:100].encode("utf-8", "replace").decode()
