"""One JSON object a line on stdout, for our own events and for what libraries log."""

import logging
import sys
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict

LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}


def configure(service: str, level: str, style: str) -> None:
    """Log as `service` from `level` on, in the style `json` or `pretty`."""

    def add_service(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        add_service,
    ]
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "json":
        last += [
            _name_the_error,
            structlog.processors.EventRenamer("msg"),
            structlog.processors.JSONRenderer(),
        ]
    else:
        last += [structlog.dev.ConsoleRenderer(colors=False)]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    logging.basicConfig(handlers=[handler], level=LEVELS[level], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _crash
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _name_the_error(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Every line at error or above says which: libraries put it into the message or the traceback."""
    if event["level"] in ("error", "critical") and "error" not in event:
        trace = str(event.get("exception", "")).strip()
        event["error"] = trace.splitlines()[-1] if trace else str(event["event"])
    return event


def _crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    structlog.get_logger("flowforge").critical("crashed", exc_info=(kind, error, trace))
