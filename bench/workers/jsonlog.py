"""One JSON line on stdout for each job, the way Python's own logging does it with a small formatter."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            "service": record.name,
            "task_id": getattr(record, "task_id", None),
        }
        return json.dumps(line)


def logger(service: str, wanted: bool) -> logging.Logger | None:
    """A logger that writes JSON lines, or None for a run without them."""
    if not wanted:
        return None
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    made = logging.getLogger(service)
    made.setLevel(logging.INFO)
    made.propagate = False
    made.addHandler(handler)
    return made
