"""Migrations: numbered SQL files in sql/, and a book of those that have been applied.

    python -m flowforge.migrate up           all that are missing
    python -m flowforge.migrate up --one     the next one
    python -m flowforge.migrate down --one   the newest one back

A file runs in one transaction with its entry in the book. One that begins with `-- transaction: none` cannot:
its statements, parted by empty lines, run one by one, and must stand being run again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from flowforge import PROJECT
from flowforge.config import ConfigError, read_database_url
from flowforge.database import CLOSED_DOOR, one_line

LOCK = 220_915
LOCK_PATIENCE_S = 120.0
NO_TRANSACTION = "-- transaction: none"


class MigrationError(Exception):
    """Says in one line what could not be done."""


@dataclass(frozen=True)
class Revision:
    """What NAME.up.sql and NAME.down.sql say."""

    name: str
    up: str
    down: str


def revisions() -> list[Revision]:
    """All there are, oldest first."""
    found = []
    for up in sorted((PROJECT / "sql").glob("*.up.sql")):
        name = up.name.removesuffix(".up.sql")
        down = up.with_name(f"{name}.down.sql")
        if not down.exists():
            raise MigrationError(f"The revision {name} has no way back: {down.name} is missing.")
        found.append(Revision(name, up.read_text(encoding="utf-8"), down.read_text(encoding="utf-8")))
    return found


async def up(connection: asyncpg.Connection, most: int | None) -> None:
    """Apply the revisions that are missing, at most so many."""
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        " name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    done = await applied(connection)
    missing = [revision for revision in revisions() if revision.name not in done]
    for revision in missing[:most]:
        print("up:", revision.name, file=sys.stderr)
        entry = "INSERT INTO schema_migrations (name) VALUES ($1)"
        await apply(connection, revision.name, revision.up, entry)


async def down(connection: asyncpg.Connection, most: int | None) -> None:
    """Take back the newest revisions, at most so many."""
    done = await applied(connection)
    present = [revision for revision in reversed(revisions()) if revision.name in done]
    for revision in present[:most]:
        print("down:", revision.name, file=sys.stderr)
        entry = "DELETE FROM schema_migrations WHERE name = $1"
        await apply(connection, revision.name, revision.down, entry)


async def applied(connection: asyncpg.Connection) -> set[str]:
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return set()
    return {row["name"] for row in await connection.fetch("SELECT name FROM schema_migrations")}


async def apply(connection: asyncpg.Connection, name: str, script: str, entry: str) -> None:
    """Run a script and make its entry in the book."""
    try:
        if script.startswith(NO_TRANSACTION):
            for statement in script.split("\n\n"):
                await connection.execute(statement)
            await connection.execute(entry, name)
        else:
            async with connection.transaction():
                await connection.execute(script)
                await connection.execute(entry, name)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"The revision {name} failed: {one_line(error)}") from error


async def take_turn(connection: asyncpg.Connection) -> None:
    """Wait until no other runner is at work, in many short statements.

    One long one would be a running statement, and CREATE INDEX CONCURRENTLY waits for those.
    """
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        if time.monotonic() > deadline:
            raise MigrationError("Another migration has not come to its end. Is it stuck?")
        await asyncio.sleep(0.1)


async def run(direction: str, most: int | None) -> None:
    try:
        connection = await asyncpg.connect(read_database_url(), timeout=5)
    except CLOSED_DOOR as error:
        raise MigrationError(f"The database at DATABASE_URL cannot be reached: {one_line(error)}") from error
    try:
        await take_turn(connection)
        await (up if direction == "up" else down)(connection, most)
    finally:
        await connection.close(timeout=5)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="migrate", description="Moves the database from revision to revision."
    )
    parser.add_argument("direction", choices=["up", "down"])
    parser.add_argument("--one", action="store_true", help="move by one revision only")
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(run(chosen.direction, 1 if chosen.one else None))
    except (ConfigError, MigrationError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
