"""How Alembic reaches the database: by DATABASE_URL, and one migration at a time.

Alembic runs this file for each of its commands. With `--sql` they print the statements and run none.
"""

import logging
import time

import psycopg
from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from flowforge.settings import ConfigurationError, DatabaseSettings, load

CONNECT_TIMEOUT_S = 5
LOCK_KEY = 7_305_808_869
LOCK_WAIT_S = 600


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", transaction_per_migration=True)
        migrate()
        return
    with connect() as connection:
        wait_for_our_turn(connection)
        # A change that cannot have its lock must not keep the queue of requests behind it waiting for ever.
        connection.execute(text("SET lock_timeout = '10s'"))
        connection.commit()
        context.configure(connection=connection, transaction_per_migration=True)
        migrate()


def migrate() -> None:
    with context.begin_transaction():
        context.run_migrations()


def connect() -> Connection:
    """libpq reads the URL, as it does for the service, so that both understand the same."""
    try:
        url = load(DatabaseSettings).database_url
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S),
            poolclass=NullPool,
        )
        return engine.connect()
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    except OperationalError as error:
        raise CommandError(f"The database cannot be reached: {error.orig}") from None


def wait_for_our_turn(connection: Connection) -> None:
    """Takes the lock of all migrations of this database; it is ours until the connection closes.

    It asks again and again instead of waiting inside PostgreSQL: a statement that waits there keeps a
    snapshot, and CREATE INDEX CONCURRENTLY in the other process would wait for that in turn.
    """
    deadline = time.monotonic() + LOCK_WAIT_S
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}):
        connection.rollback()
        if time.monotonic() > deadline:
            raise CommandError(f"Another migration is still running after {LOCK_WAIT_S} s. Try again later.")
        time.sleep(0.1)


main()
