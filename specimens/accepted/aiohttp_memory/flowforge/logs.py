"""Logs: one JSON object a line on stdout, whoever logs."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

SERVICE = "api-service"

# The id of the request that is being answered, for every line logged meanwhile.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: str, form: str) -> None:
    """Send what any logger says, from `level` up, to stdout; `form` is json or pretty."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if form == "json" else PrettyFormatter())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    logging.captureWarnings(True)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """A record as the fields of its line, those given by `extra=` included."""
    line: dict[str, Any] = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "msg": record.getMessage(),
        "service": SERVICE,
    }
    if current := request_id.get():
        line["request_id"] = current
    line.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
    if record.exc_info and record.exc_info[1] is not None:
        line["traceback"] = logging.Formatter().formatException(record.exc_info)
        line.setdefault("error", repr(record.exc_info[1]))
    if record.levelno >= logging.ERROR:
        line.setdefault("error", line["msg"])
    return line


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(fields(record), default=str)


class PrettyFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = fields(record)
        head = f"{line.pop('timestamp')} {line.pop('level'):<8} {line.pop('msg')}"
        traceback = line.pop("traceback", None)
        rest = "".join(f"  {name}={json.dumps(value, default=str)}" for name, value in line.items())
        return head + rest + (f"\n{traceback}" if traceback else "")
