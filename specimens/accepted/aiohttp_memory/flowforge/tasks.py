"""Tasks and the memory they live in."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

STATUSES = ("pending", "processing", "completed", "failed")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a client sets, complete and valid."""

    title: str
    description: str = ""
    priority: int = 0
    type: str = "noop"
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    id: uuid.UUID
    draft: Draft
    request_id: str
    created_at: datetime
    updated_at: datetime
    status: str = "pending"

    def as_json(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            **asdict(self.draft),
            "status": self.status,
            "result": None,
            "error": None,
            "attempts": 0,
            "assigned_worker": None,
            "request_id": self.request_id,
            "created_at": self.created_at.isoformat(timespec="microseconds"),
            "updated_at": self.updated_at.isoformat(timespec="microseconds"),
        }


class TaskStore:
    """All tasks by id. Only the event loop's thread may touch it."""

    def __init__(self) -> None:
        self._tasks: dict[uuid.UUID, Task] = {}

    def add(self, draft: Draft, request_id: str) -> Task:
        now = datetime.now(UTC)
        task = Task(uuid.uuid4(), draft, request_id, created_at=now, updated_at=now)
        self._tasks[task.id] = task
        return task

    def get(self, task_id: uuid.UUID) -> Task | None:
        return self._tasks.get(task_id)

    def put(self, task_id: uuid.UUID, draft: Draft) -> Task | None:
        """Replace what the client set; None if there is no such task."""
        old = self._tasks.get(task_id)
        if old is None:
            return None
        # the clock may stand still between two requests, or be set back; updated_at must not
        later = max(datetime.now(UTC), old.updated_at + timedelta(microseconds=1))
        self._tasks[task_id] = replace(old, draft=draft, updated_at=later)
        return self._tasks[task_id]

    def remove(self, task_id: uuid.UUID) -> bool:
        """Whether there was such a task."""
        return self._tasks.pop(task_id, None) is not None

    def page(self, number: int, limit: int, status: str | None) -> tuple[list[Task], int]:
        """One page (from 1) in order of creation, and how many tasks there are on all pages."""
        found = [task for task in self._tasks.values() if status in (None, task.status)]
        found.sort(key=lambda task: (task.created_at, task.id))
        return found[(number - 1) * limit : number * limit], len(found)
