"""Fills the table of tasks. Python finds the words, PostgreSQL makes the rows of them."""

from __future__ import annotations

import asyncio
import random
from typing import Annotated

import typer
from faker import Faker

from flowforge.scripts.entry import Count
from flowforge.scripts.session import transaction

BATCH = 20_000
VOCABULARY = 100
GOODS = ("chairs", "lamps", "kettles", "curtains", "bicycles", "umbrellas", "garden gnomes")

# As many draws as a task needs, each random() once: their order is what a seed repeats.
INSERT = """
    WITH words AS (
        SELECT $3::text[] AS names, $4::text[] AS places, $5::text[] AS goods, $6::text[] AS remarks
    ), drawn AS (
        SELECT number, random() AS status, random() AS type, random() AS name, random() AS place,
               random() AS good, random() AS remark, random() AS priority, random() AS amount, random() AS age
        FROM generate_series($1::bigint, $2::bigint) AS number
    ), chosen AS (
        SELECT
            CASE
                WHEN number <= 4 THEN (ARRAY['completed', 'pending', 'failed', 'processing'])[number]
                WHEN status < 0.05 THEN 'processing'
                WHEN status < 0.15 THEN 'failed'
                WHEN status < 0.40 THEN 'pending'
                ELSE 'completed'
            END AS status,
            (ARRAY['noop', 'sleep', 'echo'])[1 + floor(type * 3)::int] AS harmless_type,
            names[1 + floor(name * cardinality(names))::int] AS name,
            places[1 + floor(place * cardinality(places))::int] AS place,
            goods[1 + floor(good * cardinality(goods))::int] AS good,
            coalesce(remarks[floor(remark * 1.2 * cardinality(remarks))::int], '') AS remark,
            (ARRAY[-20, 0, 0, 0, 10, 30, 80])[1 + floor(priority * 7)::int] AS priority,
            1 + floor(amount * 120)::int AS amount,
            now() - INTERVAL '1 hour' - age * INTERVAL '3 weeks' AS created_at
        FROM drawn, words
    ), typed AS (
        SELECT *, CASE WHEN status = 'failed' THEN 'fail' ELSE harmless_type END AS type FROM chosen
    ), told AS (
        SELECT *,
            CASE type
                WHEN 'noop' THEN format('Note the order of %s: %s', name, good)
                WHEN 'sleep' THEN format('Weigh %s boxes for %s', amount, place)
                WHEN 'echo' THEN format('Send the bill for %s to %s', good, name)
                ELSE format('Deliver %s to %s in %s', good, name, place)
            END AS title,
            CASE type
                WHEN 'sleep' THEN json_build_object('seconds', amount / 4.0)
                WHEN 'echo' THEN json_build_object('customer', name, 'boxes', amount, 'paid', amount % 2 = 0)
                WHEN 'fail' THEN json_build_object('message', format('nobody at home in %s', place))
                ELSE '{}'
            END AS payload
        FROM typed
    )
    INSERT INTO tasks (title, description, status, priority, type, payload, result, error, attempts,
                       assigned_worker, worker_id, created_at, updated_at)
    SELECT
        left(title, 200), remark, status, priority, type, payload,
        CASE WHEN status = 'completed' AND type = 'echo' THEN payload END,
        CASE WHEN status = 'failed' THEN payload ->> 'message' END,
        CASE WHEN status = 'pending' THEN 0 ELSE 1 END,
        CASE WHEN status <> 'pending' THEN 'depot.' || (1 + amount % 3) END,
        CASE WHEN status = 'processing' THEN gen_random_uuid() END,  -- nobody's: lost from the beginning
        created_at,
        CASE WHEN status = 'pending' THEN created_at ELSE created_at + amount / 2.0 * INTERVAL '1 second' END
    FROM told
"""

SUMMARY = "SELECT status, count(*) AS number FROM tasks GROUP BY status ORDER BY status"


def seed(
    count: Count,
    clear: Annotated[bool, typer.Option("--clear", help="Delete all tasks first.")] = False,
    seed: Annotated[int | None, typer.Option(help="The same number, the same tasks.")] = None,
) -> None:
    """Add believable tasks to the table, all of them or none. No worker should be running."""
    held = asyncio.run(fill(count, clear, random.Random(seed)))
    typer.echo(f"{count} tasks have been added. The table now holds:")
    for status, number in held.items():
        typer.echo(f"{number:>9} {status}")


async def fill(count: int, clear: bool, chance: random.Random) -> dict[str, int]:
    """Add the tasks; how many of each status there are then."""
    words = vocabulary(chance)
    async with transaction() as connection:
        if clear:
            await connection.execute("DELETE FROM tasks")
        await connection.execute("SELECT setseed($1)", chance.uniform(-1, 1))
        for first in range(1, count + 1, BATCH):
            last = min(first + BATCH - 1, count)
            await connection.execute(INSERT, first, last, *words)
            if count > BATCH:
                typer.echo(f"{last / count:4.0%}", err=True)
        return {row["status"]: row["number"] for row in await connection.fetch(SUMMARY)}


def vocabulary(chance: random.Random) -> tuple[list[str], ...]:
    """Names, places, goods and remarks."""
    faker = Faker("en_GB")
    faker.seed_instance(chance.random())
    goods = [f"{faker.color_name().lower()} {chance.choice(GOODS)}" for _ in range(VOCABULARY)]
    makers = (faker.name, faker.city, faker.sentence)
    names, places, remarks = ([make() for _ in range(VOCABULARY)] for make in makers)
    return names, places, goods, remarks
