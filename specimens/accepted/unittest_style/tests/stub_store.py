"""What the API is given instead of PostgreSQL."""

import itertools
import uuid
from datetime import UTC, datetime

from api_service.schemas import Task, TaskInput

DEFAULTS = {
    "status": "pending",
    "result": None,
    "error": None,
    "attempts": 0,
    "assigned_worker": None,
    "request_id": None,
}


class StubStore:
    """Keeps tasks in a list. Set `error`, and it is raised by everything that is asked for."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.kept: list[Task] = []
        self.seconds = itertools.count(1_750_000_000)

    def time(self) -> datetime:
        return datetime.fromtimestamp(next(self.seconds), UTC)

    def keep(self, **fields: object) -> Task:
        now = self.time()
        first = {**DEFAULTS, "id": uuid.uuid4(), "created_at": now, "updated_at": now}
        self.kept.append(Task.model_validate({**first, **TaskInput(title="t").model_dump(), **fields}))
        return self.kept[-1]

    def place(self, task_id: uuid.UUID) -> int | None:
        if self.error is not None:
            raise self.error
        return next((place for place, task in enumerate(self.kept) if task.id == task_id), None)

    async def ping(self) -> None:
        self.place(uuid.uuid4())

    async def create(self, task: TaskInput, request_id: str) -> Task:
        await self.ping()
        return self.keep(**task.model_dump(), request_id=request_id)

    async def get(self, task_id: uuid.UUID) -> Task | None:
        place = self.place(task_id)
        return None if place is None else self.kept[place]

    async def page(self, status: str | None, limit: int, offset: int) -> tuple[list[Task], int]:
        await self.ping()
        wanted = [task for task in self.kept if status is None or status == task.status]
        return wanted[offset:][:limit], len(wanted)

    async def replace(self, task_id: uuid.UUID, task: TaskInput) -> Task | None:
        place = self.place(task_id)
        if place is None:
            return None
        old = self.kept[place]
        self.kept[place] = old.model_copy(update={**task.model_dump(), "updated_at": self.time()})
        return self.kept[place]

    async def delete(self, task_id: uuid.UUID) -> bool:
        place = self.place(task_id)
        if place is None:
            return False
        del self.kept[place]
        return True
