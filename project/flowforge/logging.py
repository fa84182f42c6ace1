"""Logs: one JSON object a line on stdout, ours and the libraries' alike."""

import logging
import sys
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def configure(service: str, level: str, log_format: str) -> None:
    """Sets up structlog for our own lines and the standard library's logging for everybody else's."""

    def add_service(logger: Any, method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    begin: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level]
    finish: list[Processor] = [
        add_service,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        add_error,
        *render(log_format),
    ]
    structlog.configure(
        processors=[*begin, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=begin,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    logging.basicConfig(handlers=[handler], level=LEVELS[level], force=True)
    logging.captureWarnings(True)
    sys.excepthook = log_crash
    if level != "debug":  # at info the pool tells of every connection that it hands out
        logging.getLogger("psycopg.pool").setLevel(logging.WARNING)


def log_crash(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """The last line of a process that ends by an exception; Python would write it elsewhere, and as text."""
    if kind is KeyboardInterrupt:  # Ctrl-C while we still start is nobody's mistake
        structlog.get_logger().info("interrupted")
    else:
        structlog.get_logger().critical("crashed", exc_info=error)


def add_error(logger: Any, method: str, event: EventDict) -> EventDict:
    """A line at error or above says what the error was, even where its author did not."""
    if event["level"] in ("error", "critical") and "error" not in event:
        cause = event.get("exc_info")
        if cause is True:
            cause = sys.exception()
        cause = cause[1] if isinstance(cause, tuple) else cause
        event["error"] = describe(cause) if isinstance(cause, BaseException) else event["event"]
    return event


def render(log_format: str) -> list[Processor]:
    if log_format == "pretty":
        plain = structlog.dev.plain_traceback  # the fancier ones print local variables, and so secrets
        return [escape, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, arrange, structlog.processors.JSONRenderer()]


def escape(logger: Any, method: str, event: EventDict) -> EventDict:
    """Shows line breaks and escape codes, which a client may have sent, so that no terminal obeys them."""
    return {name: visible(value) if isinstance(value, str) else value for name, value in event.items()}


def visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def arrange(logger: Any, method: str, event: EventDict) -> EventDict:
    """What every line has comes first, so that people can read them, too."""
    first = {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "msg": event.pop("event")}
    return {**first, "service": event.pop("service"), **event}


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
