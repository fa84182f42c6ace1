"""The tasks in memory: what stands in for TaskRepository where a test wants no database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from api_service.fields import Status
from api_service.schemas import Task, TaskInput

DEFAULTS: dict[str, Any] = {
    "description": "",
    "status": "pending",
    "priority": 0,
    "type": "noop",
    "payload": {},
    "result": None,
    "error": None,
    "attempts": 0,
    "assigned_worker": None,
    "request_id": None,
}


def clock() -> Iterator[datetime]:
    """Times that are never equal, so that the order of a list is never a matter of luck."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    while True:
        now += timedelta(milliseconds=1)
        yield now


class MemoryTasks:
    """Has the methods of TaskRepository, keeps what they are given, and fails when it is told to."""

    def __init__(self) -> None:
        self.fails_with: Exception | None = None
        self._clock = clock()
        self._rows: dict[UUID, Task] = {}

    def add(self, title: str = "a task", **fields: Any) -> Task:
        """Puts a task there behind the API's back, in whichever state a test wants it."""
        now = next(self._clock)
        columns = DEFAULTS | {"id": uuid4(), "title": title, "created_at": now, "updated_at": now} | fields
        task = Task(**columns)
        self._rows[task.id] = task
        return task

    async def create(self, task: TaskInput, request_id: str) -> Task:
        self._reach()
        return self.add(**task.model_dump(), request_id=request_id)

    async def get(self, task_id: UUID) -> Task | None:
        self._reach()
        return self._rows.get(task_id)

    async def page(self, status: Status | None, limit: int, offset: int) -> tuple[list[Task], int]:
        self._reach()
        tasks = [task for task in self._rows.values() if status in (None, task.status)]
        tasks.sort(key=lambda task: (task.created_at, task.id))
        return tasks[offset : offset + limit], len(tasks)

    async def replace(self, task_id: UUID, task: TaskInput) -> Task | None:
        self._reach()
        if task_id not in self._rows:
            return None
        changes = task.model_dump() | {"updated_at": next(self._clock)}
        self._rows[task_id] = self._rows[task_id].model_copy(update=changes)
        return self._rows[task_id]

    async def delete(self, task_id: UUID) -> bool:
        self._reach()
        return self._rows.pop(task_id, None) is not None

    async def ping(self) -> None:
        self._reach()

    def _reach(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with
