"""From what the client sent to a draft, an id or a page; every mistake found is named."""

import json
import math
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from .envelope import Detail, Problem
from .tasks import STATUSES, Draft

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,49}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_FORBIDDEN = re.compile("[\0\ud800-\udfff]")
# Unicode's White_Space property; str.isspace() counts four control characters more
_WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_WHITE_SPACE += "\u2028\u2029\u202f\u205f\u3000"

_MOST_UNKNOWN_FIELDS_NAMED = 20


def task_id(text: str) -> uuid.UUID:
    if not _UUID.fullmatch(text):
        raise Problem(400, "The path holds no task id.", [Detail("id", "must be a hyphenated UUID")])
    return uuid.UUID(text)


def listing(query: Mapping[str, str]) -> tuple[int, int, str | None]:
    """Page, limit and status of a list request."""
    faults: list[Detail] = []
    page = _whole(query, "page", 1, 100_000, faults)
    limit = _whole(query, "limit", 20, 100, faults)
    status = query.get("status")
    if status is not None and status not in STATUSES:
        faults.append(Detail("status", f"must be one of {', '.join(STATUSES)}"))
    if faults:
        raise Problem(400, "The query is not valid.", faults)
    return page, limit, status


def draft(raw: bytes) -> Draft:
    """The body of a POST or PUT as a draft."""
    try:
        body = json.loads(raw.decode(), parse_int=_integer, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Problem(400, "The body is not JSON in UTF-8.") from None
    if not isinstance(body, dict):
        raise Problem(400, "The body must be a JSON object.")

    values: dict[str, Any] = {}
    faults: list[Detail] = []
    for name, check in _FIELDS.items():
        if name in body:
            try:
                values[name] = check(body[name])
            except _Fault as fault:
                faults.append(Detail(fault.below(name), fault.message))
    if "title" not in body:
        faults.append(Detail("title", "is required"))
    unknown = [name for name in body if name not in _FIELDS]
    faults += [Detail(printable(name), "is not known") for name in unknown[:_MOST_UNKNOWN_FIELDS_NAMED]]
    if faults:
        raise Problem(400, "The task is not valid.", faults)
    return Draft(**values)


def printable(name: str) -> str:
    """A client's own name for something, fit to be sent back."""
    return _FORBIDDEN.sub("\ufffd", name)[:100]


class _Fault(Exception):
    def __init__(self, message: str, entry: str | None = None) -> None:
        self.message = message
        self.entry = entry

    def below(self, field: str) -> str:
        return field if self.entry is None else f"{field}.{self.entry}"


def _whole(query: Mapping[str, str], name: str, default: int, most: int, faults: list[Detail]) -> int:
    text = query.get(name)
    if text is None:
        return default
    digits = text.lstrip("0")
    if re.fullmatch("[0-9]{1,6}", digits) and int(digits) <= most:
        return int(digits)
    faults.append(Detail(name, f"must be a whole number from 1 to {most}"))
    return default


def _integer(digits: str) -> int | float:
    # int() refuses thousands of digits; float() makes inf of what no double holds, and no field takes inf
    return int(digits) if len(digits) <= 310 else float(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str):
        raise _Fault("must be a string")
    if len(value) > most:
        raise _Fault(f"must have at most {most} characters")
    if _FORBIDDEN.search(value):
        raise _Fault("must not hold U+0000 or a lone surrogate")
    return value


def _title(value: Any) -> str:
    title = _text(value, 200)
    if not title.strip(_WHITE_SPACE):
        raise _Fault("must not be blank")
    return title


def _description(value: Any) -> str:
    return _text(value, 2000)


def _priority(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Fault("must be an integer")
    if isinstance(value, float) and not value.is_integer():
        raise _Fault("must be an integer")
    if not -100 <= value <= 100:
        raise _Fault("must be from -100 to 100")
    return int(value)


def _type(value: Any) -> str:
    if not isinstance(value, str) or not _TYPE.fullmatch(value):
        raise _Fault("must be 1 to 50 of a-z, 0-9 and _, a letter first")
    return value


def _payload(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Fault("must be an object")
    if len(value) > 50:
        raise _Fault("must have at most 50 entries")
    for name, entry in value.items():
        if not _NAME.fullmatch(name):
            raise _Fault("names are 1 to 64 of A-Z, a-z, 0-9 and _, a letter first", printable(name))
        if isinstance(entry, str):
            try:
                _text(entry, 1000)
            except _Fault as fault:
                raise _Fault(fault.message, name) from None
        elif isinstance(entry, int | float):
            if not _finite(entry):
                raise _Fault("must be a finite double", name)
        elif entry is not None:
            raise _Fault("must be a string, a number, a boolean or null", name)
    return value


def _finite(number: float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:  # an int beyond the largest double
        return False


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "title": _title,
    "description": _description,
    "priority": _priority,
    "type": _type,
    "payload": _payload,
}
