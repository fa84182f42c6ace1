"""Structured logs, as a project's services write them: one JSON object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from labkit.services import _LINE_LENGTH_KEPT, Line, Service

LEVELS = ("debug", "info", "warning", "error", "critical")
"""From the least to the most urgent."""

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """A line that is a JSON object."""

    text: str
    fields: dict[str, Any]

    def __str__(self) -> str:
        return self.text

    def get(self, name: str) -> Any:
        """A field; None if it is not there."""
        return self.fields.get(name)

    @property
    def at_least_error(self) -> bool:
        return self.get("level") in ("error", "critical")


def end_of_traceback(text: str) -> str:
    """The line that ends the first traceback in a text: the exception. Empty if it was cut off before."""
    _, _, traceback = text.partition("Traceback (most recent call last)")
    lines = traceback.splitlines()[1:]
    return next((line for line in lines if line.strip() and not line.startswith((" ", "\t"))), "")


def printed(service: Service) -> list[Line]:
    """All lines that a service has printed so far (as far as they are kept), long ones in one piece again."""
    whole: list[Line] = []
    unfinished: dict[str, str] = {}
    for line in _kept(service):
        text = unfinished.pop(line.stream, "") + line.text
        if len(line.text.encode()) >= _LINE_LENGTH_KEPT:
            unfinished[line.stream] = text
        else:
            whole.append(Line(line.stream, text))
    return [*whole, *(Line(stream, text) for stream, text in unfinished.items())]


def _kept(service: Service) -> list[Line]:
    while True:
        try:
            return list(service.lines)
        except RuntimeError:  # a line came in between
            continue


def entries(lines: Iterable[Line]) -> list[Entry]:
    """The lines on stdout that are JSON objects, in their order."""
    parsed = ((line.text, _object(line.text)) for line in lines if line.stream == "stdout")
    return [Entry(text, fields) for text, fields in parsed if fields is not None]


def strays(lines: Iterable[Line]) -> list[str]:
    """What is no structured line, each with the reason in front: not JSON, or not on stdout."""
    found = []
    for line in lines:
        if not line.text.strip():
            continue
        if _object(line.text) is None:
            found.append(f"no JSON object, on {line.stream}: {line.text}")
        elif line.stream != "stdout":
            found.append(f"on {line.stream}: {line.text}")
    return found


def moment(text: object) -> datetime | None:
    """The time that an RFC 3339 timestamp names, with its offset; None if it is none."""
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def is_number(value: object) -> bool:
    """Whether a JSON value is a number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(text: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
