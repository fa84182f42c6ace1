"""Structured logging: `event()` for our own lines, a handler for those of libraries."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime

RANKS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "critical": 50}


@dataclass
class _State:
    service: str = "flowforge"
    least: int = 20
    pretty: bool = False


_state = _State()


def configure(service: str, level: str, style: str) -> None:
    _state.service, _state.least, _state.pretty = service, RANKS[level], style == "pretty"
    logging.basicConfig(level=_state.least, handlers=[_Bridge()], force=True)
    logging.captureWarnings(True)
    sys.excepthook = lambda _kind, error, _trace: event("critical", "crashed", error)


def event(level: str, msg: str, error: BaseException | str | None = None, **fields: object) -> None:
    """Write one line. `level` is debug, info, warning, error or critical."""
    if RANKS[level] < _state.least:
        return
    line: dict[str, object] = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level,
        "msg": msg,
        "service": _state.service,
        **fields,
    }
    if error is not None:
        line["error"] = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, BaseException) and RANKS[level] >= RANKS["critical"]:
        line["traceback"] = "".join(traceback.format_exception(error))
    if _state.pretty:
        rest = [
            f"{name}={_quoted(value)}" for name, value in line.items() if name not in ("timestamp", "msg")
        ]
        print(line["timestamp"], msg if msg.isprintable() else repr(msg), *rest, flush=True)
    else:
        print(json.dumps(line, default=str), flush=True)


def _quoted(value: object) -> str:
    """For eyes: nothing in a value looks like the next field, or like another line."""
    text = str(value)
    return text if text.isprintable() and not {" ", "=", "'"} & set(text) else repr(text)


class _Bridge(logging.Handler):
    """Turns a library's record into an event."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = record.levelname.lower() if record.levelname.lower() in RANKS else "info"
            error = record.exc_info[1] if record.exc_info else None
            if error is None and RANKS[level] >= RANKS["error"]:
                event(level, record.getMessage(), record.getMessage(), logger=record.name)
            else:
                event(level, record.getMessage(), error, logger=record.name)
        except Exception:  # a log line must never be what breaks a service
            print("a log line could not be written", file=sys.stderr)
