"""How long a task waits on an idle queue: from the commit of its INSERT to the commit of its claim."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from bench.contestants import Contestant
from bench.processes import Worker, workers
from bench.results import Pickup
from labkit.postgres import Database

_PATIENCE_S = 30.0

_RECORD = """
    CREATE SCHEMA IF NOT EXISTS bench;
    CREATE TABLE IF NOT EXISTS bench.changes (job text NOT NULL, status text NOT NULL);
    CREATE OR REPLACE FUNCTION bench.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO bench.changes VALUES (NEW.id::text, NEW.status::text);
        RETURN NULL;
    END
    $$
"""
_TRIGGER = """
    CREATE OR REPLACE TRIGGER bench_record AFTER INSERT OR UPDATE ON {}
        FOR EACH ROW EXECUTE FUNCTION bench.record()
"""
# Both moments are those of the commits, on the server's clock: xmin names the transaction that wrote the row.
_WAITED = """
    SELECT extract(epoch FROM
            min(pg_xact_commit_timestamp(xmin)) FILTER (WHERE status = %s)
            - min(pg_xact_commit_timestamp(xmin)))::float8 AS waited
    FROM bench.changes GROUP BY job ORDER BY waited
"""


def pickup(contestant: Contestant, database: Database, scratch: Path, samples: int, seconds: float) -> Pickup:
    """Insert `samples` tasks at random moments within `seconds`, and see when one worker claims each."""
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute(contestant.queue.clear)
        connection.execute(_RECORD)
        connection.execute(SQL(_TRIGGER).format(Identifier(contestant.queue.table)))
        try:
            with workers(contestant, 1, database.url, scratch) as [worker]:
                connection.execute(contestant.queue.insert)
                _wait_until_empty(connection, contestant, worker)
                connection.execute("TRUNCATE bench.changes")
                _insert_at_random(connection, contestant, samples, seconds)
                _wait_until_empty(connection, contestant, worker)
            found = connection.execute(_WAITED, [contestant.queue.claimed]).fetchall()
        finally:
            connection.execute("DROP SCHEMA bench CASCADE")
    waited = [row[0] for row in found]
    return Pickup(
        contestant.queue.name, contestant.label, len(waited), _percentile(waited, 50), _percentile(waited, 99)
    )


def _insert_at_random(
    connection: psycopg.Connection[Any], contestant: Contestant, samples: int, seconds: float
) -> None:
    begun = time.monotonic()
    for moment in sorted(random.uniform(0, seconds) for _ in range(samples)):
        time.sleep(max(begun + moment - time.monotonic(), 0))
        connection.execute(contestant.queue.insert)


def _wait_until_empty(connection: psycopg.Connection[Any], contestant: Contestant, worker: Worker) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while connection.execute(contestant.queue.left).fetchone() != (False,):
        worker.must_run(contestant)
        if time.monotonic() > deadline:
            raise worker.trouble(contestant, f"left a task undone for {_PATIENCE_S:.0f} s")
        time.sleep(0.05)


def _percentile(values: list[float], percent: int) -> float:
    """The smallest of the sorted values that is not below `percent` per cent of them."""
    return values[max(-(-len(values) * percent // 100) - 1, 0)]
