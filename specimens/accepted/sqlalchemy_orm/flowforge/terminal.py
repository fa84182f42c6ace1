"""What the scripts have in common. click knows the rest: statuses, wrong usage, Ctrl-C, closed pipes."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import click
from pydantic import ValidationError
from pydantic_settings import BaseSettings
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection

from flowforge.database import Database, reason
from flowforge.settings import DatabaseSettings, explain

STATEMENT_PATIENCE_S = 900
LOCK_PATIENCE = text("SET LOCAL lock_timeout = '10s'")

Kind = TypeVar("Kind", bound=BaseSettings)
Answer = TypeVar("Answer")


def settings(kind: type[Kind]) -> Kind:
    """Settings of that kind; ClickException names all that is wrong with them."""
    try:
        return kind()
    except ValidationError as error:
        raise click.ClickException(explain(error)) from None


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """asyncio.run(), with a Ctrl-C that cancels."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return asyncio.run(work)


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncConnection]:
    """A connection to the database of DATABASE_URL, whose changes are committed all at once at the end of the
    block; ClickException if they are not."""
    url = settings(DatabaseSettings).database_url.get_secret_value()
    database = Database(url, 1, command_timeout=STATEMENT_PATIENCE_S)
    try:
        async with database.engine.begin() as connection:
            await connection.execute(LOCK_PATIENCE)
            yield connection
            # The answer to a commit must be heard: without it nobody knows what has been done.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except (exc.SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise click.ClickException(f"The database of DATABASE_URL: {reason(error)}") from None
    finally:
        await database.close()
