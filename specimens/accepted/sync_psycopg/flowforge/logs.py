"""Log lines: JSON for machines, or plain for people."""

import json
import logging
import sys
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

log = logging.getLogger("flowforge")
_about: ContextVar[dict[str, Any]] = ContextVar("about", default={})  # noqa: B039 (replaced, never changed)


def bind(**fields: Any) -> None:
    """Add fields to all lines of this thread, whoever writes them.

    Nobody takes them away again: a request or a task has a thread of its own, which ends with it.
    """
    _about.set(_about.get() | fields)


def set_up(service: str, level: str, style: str) -> None:
    """Send everything at `level` or above to stdout, from wherever it comes: ours, libraries', crashes."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(service) if style == "json" else PrettyLines(service))
    handler.setLevel(LEVELS[level])  # some libraries set the level of their own loggers
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _crashed
    threading.excepthook = lambda crash: _crashed(crash.exc_type, crash.exc_value, crash.exc_traceback)
    sys.unraisablehook = lambda crash: _crashed(crash.exc_type, crash.exc_value, crash.exc_traceback)


def complain(logger: logging.Logger, level: int, message: str, error: BaseException) -> None:
    """A line about something that is not our mistake: its reason, without a trace."""
    logger.log(level, message, extra={"fields": {"error": reason(error)}})


def reason(error: BaseException) -> str:
    """What an error says, in one line; never empty."""
    return " ".join(str(error).split()) or type(error).__name__


class Lines(logging.Formatter):
    """`extra={"fields": {…}}` adds fields to a record, and so does bind()."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What stands on a line besides time, level, message and trace."""
        found: dict[str, Any] = {"service": self.service, **_about.get(), **getattr(record, "fields", {})}
        if record.exc_info and record.exc_info[1]:
            found.setdefault("error", reason(record.exc_info[1]))
        elif record.levelno >= logging.ERROR:
            found.setdefault("error", record.getMessage())
        return found


class JsonLines(Lines):
    """A record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
        }
        line |= self.fields(record)
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class PrettyLines(Lines):
    """A record as a line for eyes, in local time; a trace stands below it."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created)
        message = record.getMessage()
        fields = " ".join(f"{name}={_shown(value)}" for name, value in self.fields(record).items())
        line = f"{at:%H:%M:%S.%f} {record.levelname:<8} {message if message.isprintable() else repr(message)}"
        return "\n".join([f"{line}  {fields}", *self._trace(record)])

    def _trace(self, record: logging.LogRecord) -> list[str]:
        return [self.formatException(record.exc_info)] if record.exc_info else []


def _shown(value: object) -> str:
    """A value as it is, or quoted if something in it could be taken for another field or another line."""
    text = str(value)
    return text if text.isprintable() and text and not set(text) & set(" =\"'") else repr(text)


def _crashed(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    crash = kind() if error is None else error
    log.critical("crashed", exc_info=(kind, crash, trace))
