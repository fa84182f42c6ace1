"""Runs the revisions: all that were asked for in one transaction, and one runner after the other."""

import sys

import psycopg
from alembic import context
from sqlalchemy import NullPool, create_engine, exc, text

from flowforge.environment import environment
from flowforge.settings import SettingsError, read_some

LOCK = 7_190_432


def run_online(url: str) -> None:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url, connect_timeout=5), poolclass=NullPool
    )
    try:
        connection = engine.connect()
    except exc.OperationalError as error:
        sys.exit("The database cannot be reached: " + " ".join(str(error.orig).split()))
    with connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            # Before the current revision is read: a second runner must see what the first one has done.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            context.run_migrations()


def run_offline() -> None:
    context.configure(dialect_name="postgresql")
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    try:
        database_url = read_some(environment(), "database_url")["database_url"]
    except SettingsError as wrong:
        sys.exit(str(wrong))
    run_online(database_url)
