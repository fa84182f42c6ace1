"""Tasks in memory, with the functions of flowforge.tasks."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from flowforge.pool import Unavailable

Row = dict[str, Any]

UNTOUCHED = {"status": "pending", "result": None, "error": None, "attempts": 0, "assigned_worker": None}


class Shelf:
    """Is a pool that lends itself, too. While it is `closed` there is nothing to be had."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.closed = False
        self.fault: Exception | None = None
        self._lock = threading.Lock()
        self._time = datetime(2026, 1, 1, tzinfo=UTC)

    @contextmanager
    def connection(self) -> Iterator["Shelf"]:
        self.ping()
        with self._lock:
            yield self

    def ping(self) -> None:
        if self.closed:
            raise Unavailable("the shelf is closed")
        if self.fault:
            raise self.fault

    def add(self, _: "Shelf", fields: Row, request_id: str | None = None, **more: Any) -> Row:
        now = self._now()
        times = {"created_at": now, "updated_at": now}
        row = {"id": str(uuid.uuid4()), **UNTOUCHED, **fields, "request_id": request_id, **times, **more}
        self.rows[row["id"]] = row
        return dict(row)

    def get(self, _: "Shelf", task_id: str) -> Row | None:
        row = self.rows.get(str(task_id).lower())
        return dict(row) if row else None

    def count(self, _: "Shelf", status: str | None) -> int:
        return len(self._having(status))

    def page(self, _: "Shelf", status: str | None, number: int, limit: int) -> list[Row]:
        return self._having(status)[(number - 1) * limit :][:limit]

    def replace(self, _: "Shelf", task_id: str, fields: Row) -> Row | None:
        row = self.rows.get(str(task_id).lower())
        if row is None:
            return None
        row.update(fields, updated_at=self._now())
        return dict(row)

    def remove(self, _: "Shelf", task_id: str) -> bool:
        return self.rows.pop(str(task_id).lower(), None) is not None

    def _having(self, status: str | None) -> list[Row]:
        return [dict(row) for row in self.rows.values() if status in (None, row["status"])]

    def _now(self) -> datetime:
        self._time += timedelta(milliseconds=5)
        return self._time
