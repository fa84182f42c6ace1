"""How Alembic reaches the database: it runs this file for each command. With `--sql` it only prints."""

import logging
import os

import psycopg
from alembic import context
from sqlalchemy import NullPool, create_engine


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql")
        migrate()
        return
    # TODO lab02#migrations: somebody else may be doing the same at this very moment. Who goes first, and how
    # does the other one know?
    # TODO lab02#migrating-under-traffic: how long may a step wait for its lock, and who waits behind it?
    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection)
        migrate()


def migrate() -> None:
    # TODO lab02#up-and-down: the second of three revisions fails. What has become of the first?
    with context.begin_transaction():
        context.run_migrations()


def connect() -> psycopg.Connection:
    # TODO lab02#failing-fast: what does somebody see who forgot the variable, or whose database is away?
    return psycopg.connect(os.environ["DATABASE_URL"])


main()
