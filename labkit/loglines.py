"""Lines of structured logs, for people with little room: what matters comes first."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_FIRST = ("level", "msg", "error")
_LEFT_OUT = ("timestamp", "service")
_NAMES_AN_ERROR = re.compile(
    r"[\w.]*(?:Error|Exception)\b|FAILED\b|FATAL\b|ERROR\b|[\w.]+\.errors\.\w+|\([\w.]+\.errors\."
)


def telling(lines: Sequence[str], most: int) -> list[str]:
    """The last `most` of some lines; where none of them names the error, the last one that does stands before
    them."""
    last = list(lines[-most:])
    named = [line for line in lines if _NAMES_AN_ERROR.match(line.strip())]
    return last if not named or named[-1] in last else [named[-1], *last[1:]]


def readable(line: str) -> str:
    """A JSON log line as `level msg: error · key=value …`; any other line as it is."""
    entry = _parsed(line)
    if entry is None:
        return line
    head = " ".join(str(entry[name]) for name in ("level", "msg") if name in entry)
    error = f": {entry['error']}" if "error" in entry else ""
    rest = [f"{key}={value}" for key, value in entry.items() if key not in (*_FIRST, *_LEFT_OUT)]
    return head + error + (" · " + " ".join(rest) if rest else "")


def _parsed(line: str) -> Mapping[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and "msg" in entry else None
