"""A store of tasks in a dictionary, for tests that want no database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from api_service.schemas import Task, TaskInput

FIRST_MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class DictStore:
    """Answers as TaskRepository does. `broken` is raised by every method while it is set."""

    def __init__(self) -> None:
        self.tasks: dict[UUID, Task] = {}
        self.broken: Exception | None = None
        self._moments = 0

    async def create(self, wanted: TaskInput, request_id: str) -> Task:
        self._look()
        return self.put_in(**wanted.model_dump(), request_id=request_id)

    async def get(self, task_id: UUID) -> Task | None:
        self._look()
        return self.tasks.get(task_id)

    async def page(self, status: str | None, limit: int, offset: int) -> tuple[list[Task], int]:
        self._look()
        tasks = [task for task in self.tasks.values() if status is None or task.status == status]
        return tasks[offset : offset + limit], len(tasks)

    async def replace(self, task_id: UUID, wanted: TaskInput) -> Task | None:
        self._look()
        if task := self.tasks.get(task_id):
            changed = task.model_copy(update={**wanted.model_dump(), "updated_at": self._now()})
            self.tasks[task_id] = changed
            return changed
        return None

    async def delete(self, task_id: UUID) -> bool:
        self._look()
        return self.tasks.pop(task_id, None) is not None

    async def ping(self) -> None:
        self._look()

    def put_in(self, title: str, **fields: object) -> Task:
        """A task that no API has made."""
        now = self._now()
        given = {"id": uuid4(), "title": title, "created_at": now, "updated_at": now, **fields}
        rest = {"result": None, "error": None, "attempts": 0, "assigned_worker": None, "request_id": None}
        usual = {"description": "", "priority": 0, "type": "noop", "payload": {}, "status": "pending"}
        task = Task.model_validate({**rest, **usual, **given})
        self.tasks[task.id] = task
        return task

    def _look(self) -> None:
        if self.broken:
            raise self.broken

    def _now(self) -> datetime:
        self._moments += 1
        return FIRST_MOMENT + timedelta(seconds=self._moments)
