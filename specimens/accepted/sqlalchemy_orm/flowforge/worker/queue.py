"""The table of tasks as a queue: one method, one transaction.

A run is known by its task, its worker and the number of its attempt. Every change that a worker makes to a
task names all three, so it reaches nothing that has another owner by now, or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, func, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flowforge.models import Run, TaskStatus
from flowforge.worker.kinds import Outcome

log = structlog.get_logger("flowforge.worker")

NOW = func.clock_timestamp()
LATER = func.greatest(NOW, Run.updated_at + text("INTERVAL '1 microsecond'"))


@dataclass(frozen=True)
class Claim:
    """A task as it was when it was claimed."""

    id: UUID
    attempt: int
    title: str
    type: str
    payload: Any
    request_id: str | None


class TaskQueue:
    """The queue for one worker. `lease` is in seconds; errors are SQLAlchemy's."""

    def __init__(self, engine: AsyncEngine, worker: str, lease: float, max_attempts: int) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        # A statement of its own, not a transaction: who is frozen between BEGIN and COMMIT keeps the row
        # locked, and nobody could take the task over.
        self._single = async_sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"))
        self._worker = worker
        self._lease = timedelta(seconds=lease)
        self._max_attempts = max_attempts

    async def claim(self, most: int) -> list[Claim]:
        """The next tasks, at most so many, first those that others have lost put back among them."""
        async with self._sessions.begin() as session:
            lost = await self._put_back_lost(session)
            first = (
                select(Run)
                .where(_is(TaskStatus.PENDING))
                .order_by(Run.priority.desc(), Run.created_at, Run.id)
                .limit(most)
                .with_for_update(skip_locked=True)
            )
            runs = (await session.scalars(first)).all()
            for run in runs:
                run.status = TaskStatus.PROCESSING
                run.assigned_worker = self._worker
                run.attempts += 1
                run.leased_until = NOW + self._lease
                run.updated_at = LATER
        for run in lost:
            _tell(run)
        return [Claim(run.id, run.attempts, run.title, run.type, run.payload, run.request_id) for run in runs]

    async def prolong(self, claim: Claim) -> bool:
        """Whether the task is still ours; if so, for another lease. `updated_at` stays."""
        return await self._change(claim, leased_until=NOW + self._lease)

    async def finish(self, claim: Claim, outcome: Outcome) -> bool:
        """Record what became of the run; False if the task is no longer ours."""
        status = TaskStatus.COMPLETED if outcome.error is None else TaskStatus.FAILED
        return await self._change(
            claim,
            status=status,
            result=outcome.result,
            error=outcome.error,
            leased_until=None,
            updated_at=LATER,
        )

    async def give_back(self, claim: Claim) -> bool:
        """Leave the task to somebody else, as if it had never been claimed; False if it is no longer ours."""
        return await self._change(
            claim,
            status=TaskStatus.PENDING,
            assigned_worker=None,
            attempts=Run.attempts - 1,
            leased_until=None,
            updated_at=LATER,
        )

    async def _put_back_lost(self, session: AsyncSession) -> Sequence[Run]:
        expired = and_(_is(TaskStatus.PROCESSING), Run.leased_until < NOW)
        lost: Sequence[Run] = (
            await session.scalars(select(Run).where(expired).with_for_update(skip_locked=True))
        ).all()
        for run in lost:
            if run.attempts < self._max_attempts:
                run.status = TaskStatus.PENDING
                run.assigned_worker = None
            else:
                run.status = TaskStatus.FAILED
                run.error = f"its worker was lost in each of {run.attempts} attempts"
            run.leased_until = None
            run.updated_at = LATER
        return lost

    async def _change(self, claim: Claim, **values: Any) -> bool:
        change = (
            update(Run)
            .where(
                Run.id == claim.id,
                Run.assigned_worker == self._worker,
                Run.attempts == claim.attempt,
                _is(TaskStatus.PROCESSING),
            )
            .values(**values)
            .returning(Run.id)
        )
        async with self._single() as session:
            changed = await session.scalar(change, execution_options={"synchronize_session": False})
        return changed is not None


def _tell(lost: Run) -> None:
    """Its own worker cannot say any more what became of it."""
    about = log.bind(request_id=lost.request_id, task_id=str(lost.id), task_title=lost.title)
    if lost.error is None:
        about.warning("task put back, since its worker was lost")
    else:
        about.warning("task failed", error=lost.error)


def _is(status: TaskStatus) -> ColumnElement[bool]:
    """Written out, not a parameter: a plan that is made for any status cannot use an index for one."""
    return Run.status == literal(status, Run.status.type, literal_execute=True)
