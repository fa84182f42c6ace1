"""The table of workers: each says again and again that it lives, and the health check looks when it did."""

from datetime import timedelta

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from flowforge.models import Worker

NOW = func.clock_timestamp()
FORGOTTEN_AFTER = timedelta(days=1)


class Presence:
    """One worker's row. Statements of their own: who is frozen inside a transaction would keep a lock."""

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._name = name

    async def say(self) -> None:
        here = insert(Worker).values(name=self._name, seen_at=NOW)
        async with self._engine.connect() as connection:
            await connection.execute(
                here.on_conflict_do_update(index_elements=["name"], set_={"seen_at": NOW})
            )

    async def leave(self) -> None:
        """Take the row away, and those of workers that never had the time to."""
        gone = or_(Worker.name == self._name, Worker.seen_at < NOW - FORGOTTEN_AFTER)
        async with self._engine.connect() as connection:
            await connection.execute(delete(Worker).where(gone))


async def silence_s(engine: AsyncEngine) -> float | None:
    """For how many seconds nothing has been heard of any worker; None if there is none."""
    async with engine.connect() as connection:
        silence: timedelta | None = await connection.scalar(select(NOW - func.max(Worker.seen_at)))
    return None if silence is None else silence.total_seconds()
