"""Log lines: JSON for machines, or plain for people."""

import json
import logging
import sys
from datetime import UTC, datetime

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class JsonLines(logging.Formatter):
    """A record as one JSON object; `extra={"fields": {…}}` adds fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            "service": self.service,
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
            line.setdefault("error", repr(record.exc_info[1]))
        if record.levelno >= logging.ERROR:
            line.setdefault("error", record.getMessage())
        return json.dumps(line, default=str)


def set_up(service: str, level: str, style: str) -> None:
    """Send everything that is logged at `level` or above to stdout."""
    handler = logging.StreamHandler(sys.stdout)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")
    handler.setFormatter(JsonLines(service) if style == "json" else plain)
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
