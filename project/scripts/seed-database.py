"""Fills the database at DATABASE_URL with believable tasks in all four statuses, all of them or none.

Run it while no worker runs. Tasks that it leaves `processing` are taken over by the first worker that starts,
as those of a worker that was lost.
"""

import argparse
import random
from collections import Counter
from typing import LiteralString

import command_line

# isort: split
import psycopg
from believable_tasks import Row, tasks
from psycopg.sql import SQL, Identifier
from transaction import patience, transaction

from flowforge.settings import DatabaseSettings, load

COPY = SQL("COPY tasks ({}) FROM STDIN").format(SQL(", ").join(map(Identifier, Row._fields)))
NOW: LiteralString = "SELECT now()"
CLEAR: LiteralString = "DELETE FROM tasks"

# Deleting many millions of rows takes minutes, and in the meantime PostgreSQL says nothing.
PATIENCE_TO_CLEAR_S = 600.0

# A step of the progress bar, in rows.
STEP = 500


def main() -> int:
    wanted = parse()
    settings = load(DatabaseSettings)
    seed = random.randrange(1_000_000) if wanted.seed is None else wanted.seed
    deleted = 0
    with transaction(settings.database_url) as connection:
        if wanted.clear:
            with patience(PATIENCE_TO_CLEAR_S):
                deleted = connection.execute(CLEAR).rowcount
        made = fill(connection, wanted.count, seed)
    if wanted.clear:
        command_line.say(f"{deleted} tasks deleted")
    shares = ", ".join(f"{number} {status}" for status, number in made.items())
    command_line.say(f"{made.total()} tasks made: {shares} (--seed {seed} makes the same)")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--count", type=command_line.at_least_one, default=20, metavar="N", help="how many tasks to make (20)"
    )
    parser.add_argument("--clear", action="store_true", help="delete all tasks that are there first")
    parser.add_argument("--seed", type=int, metavar="N", help="make the same tasks as the last time with N")
    return parser.parse_args()


def fill(connection: psycopg.Connection, count: int, seed: int) -> Counter[str]:
    """Makes the tasks; how many there are of each status."""
    made: Counter[str] = Counter()
    [(now,)] = connection.execute(NOW).fetchall()
    with (
        command_line.progress() as progress,
        patience() as renew,
        connection.cursor().copy(COPY) as copy,
    ):
        bar = progress.add_task("making tasks", total=count)
        for number, task in enumerate(tasks(count, seed, now), start=1):
            copy.write_row(task)
            made[task.status] += 1
            if number % STEP == 0:
                renew()
                progress.update(bar, completed=number)
    return made


if __name__ == "__main__":
    command_line.run(main)
