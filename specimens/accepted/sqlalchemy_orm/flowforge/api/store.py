"""What the API does with tasks: one function, one transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from flowforge.models import Task, TaskStatus


class TaskStore:
    """Tasks in the database behind `engine`. What is not there is None or False; errors are SQLAlchemy's."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def add(self, fields: dict[str, Any], request_id: str) -> Task:
        task = Task(**fields, request_id=request_id)
        async with self._sessions.begin() as session:
            session.add(task)
            await session.flush()
            await session.refresh(task)
        return task

    async def get(self, task_id: UUID) -> Task | None:
        async with self._sessions() as session:
            return await session.get(Task, task_id)

    async def page(self, page: int, limit: int, status: TaskStatus | None) -> tuple[Sequence[Task], int]:
        """The tasks of a page, and how many there are on all pages."""
        wanted = select(Task)
        counted = select(func.count()).select_from(Task)
        if status is not None:
            wanted = wanted.where(Task.status == status)
            counted = counted.where(Task.status == status)
        wanted = wanted.order_by(Task.created_at, Task.id).limit(limit).offset((page - 1) * limit)
        async with self._sessions() as session:
            total = await session.scalar(counted)
            return (await session.scalars(wanted)).all(), total or 0

    async def replace(self, task_id: UUID, fields: dict[str, Any]) -> Task | None:
        """One UPDATE of all fields: of two at once the later one wins, whole. `updated_at` moves on."""
        later = func.greatest(func.clock_timestamp(), Task.updated_at + text("INTERVAL '1 microsecond'"))
        change = update(Task).where(Task.id == task_id).values(**fields, updated_at=later).returning(Task)
        async with self._sessions.begin() as session:
            return await session.scalar(change, execution_options={"synchronize_session": False})

    async def remove(self, task_id: UUID) -> bool:
        async with self._sessions.begin() as session:
            removed = await session.scalar(delete(Task).where(Task.id == task_id).returning(Task.id))
        return removed is not None
