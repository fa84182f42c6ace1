"""Runs the revisions, one transaction each, one runner at a time."""

import time
from logging.config import fileConfig

import psycopg
import sqlalchemy as sa
from alembic import context
from pydantic import ValidationError

from flowforge.models import Base
from flowforge.settings import DatabaseSettings, explain

LOCK = 4_662_011
LOCK_PATIENCE_S = 120
CONNECT_PATIENCE_S = 5

fileConfig(context.config.config_file_name, disable_existing_loggers=False)


def connect() -> sa.Connection:
    """A connection to the database of DATABASE_URL; ends the program with one line if there is none."""
    try:
        url = str(DatabaseSettings().database_url.get_secret_value())
    except ValidationError as error:
        raise SystemExit(explain(error)) from None
    engine = sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url, connect_timeout=CONNECT_PATIENCE_S),
        poolclass=sa.NullPool,
    )
    try:
        return engine.connect()
    except sa.exc.OperationalError as error:
        reason = " ".join(str(error.orig).split())
        raise SystemExit(f"The database that DATABASE_URL names cannot be reached: {reason}") from None


def wait_for_our_turn(connection: sa.Connection) -> None:
    """Hold the migrations' lock until the connection closes.

    Asked for again and again, never waited for inside one statement: CREATE INDEX CONCURRENTLY waits for
    every running statement to end, and one that waits for whoever creates the index never would.
    """
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(LOCK))):
        connection.rollback()
        if time.monotonic() > deadline:
            raise SystemExit(
                f"Another migration has been running for {LOCK_PATIENCE_S} seconds. Is it stuck?"
            )
        time.sleep(0.1)
    connection.commit()


def run_offline() -> None:
    context.configure(
        dialect_name="postgresql",
        target_metadata=Base.metadata,
        literal_binds=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    with connect() as connection:
        wait_for_our_turn(connection)
        context.configure(
            connection=connection, target_metadata=Base.metadata, transaction_per_migration=True
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
