"""Fills the table of tasks."""

import random
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from psycopg.sql import SQL, Identifier

from flowforge.commands.believable import STATUSES, Row, believable_tasks
from flowforge.commands.database import transaction
from flowforge.commands.run import Result, count
from flowforge.settings import read_some

A_LOT = 25_000

_COPY = SQL("COPY tasks ({}) FROM STDIN").format(SQL(", ").join(map(Identifier, Row._fields)))
# Without leases nobody would ever come for them. These have ended: the workers are made up.
_LEASES = SQL("""
    INSERT INTO leases (task_id, token, expires_at)
    SELECT id, gen_random_uuid(), clock_timestamp() FROM tasks WHERE status = 'processing'
    ON CONFLICT DO NOTHING
""")


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Add believable tasks to the database that DATABASE_URL names, while no worker runs."
    )
    parser.add_argument("--count", type=count, required=True, metavar="N", help="how many tasks to add")
    parser.add_argument("--clear", action="store_true", help="delete first what is there")
    parser.add_argument("--seed", type=int, metavar="N", help="a number that makes the same tasks each time")
    return parser


def act(arguments: Namespace, environ: Mapping[str, str]) -> Result:
    url = read_some(environ, "database_url")["database_url"]
    chance = random.Random(arguments.seed)
    made: Counter[str] = Counter()
    deleted = None
    with transaction(url, "Seeding") as connection:
        if arguments.clear:
            deleted = connection.execute("DELETE FROM tasks").rowcount
        with connection.cursor().copy(_COPY) as copy:
            for task in believable_tasks(arguments.count, chance, datetime.now(UTC)):
                copy.write_row(task)
                made[task.status] += 1
                if (done := made.total()) % A_LOT == 0:
                    print(f"{done} of {arguments.count} tasks", file=sys.stderr)
        connection.execute(_LEASES)
    parts = ", ".join(f"{made[status]} {status}" for status in STATUSES if made[status])
    before = "" if deleted is None else f"Deleted {deleted} tasks. "
    return Result(f"{before}Added {arguments.count} tasks: {parts}.")
