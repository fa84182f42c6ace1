"""Fills the table of tasks with examples."""

import start  # noqa: F401

# isort: split
import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy import delete

from flowforge import terminal
from flowforge.examples import Example, examples
from flowforge.models import Task

BREATH = 1000
"""After so many tasks something else may happen, such as a Ctrl-C."""


@click.command(help="Add example tasks to the database of DATABASE_URL. Run it while no worker is running.")
@click.option("--count", type=click.IntRange(min=1), required=True, help="How many tasks to add.")
@click.option("--clear", is_flag=True, help="Delete all tasks first.")
@click.option("--seed", type=int, help="The same number makes the same tasks.")
def seed_database(count: int, clear: bool, seed: int | None) -> None:
    made = terminal.run(fill(count, clear, random.Random(seed)))
    summary = ", ".join(f"{number} {status}" for status, number in sorted(made.items()))
    click.echo(f"{count} tasks added ({summary}).")


async def fill(count: int, clear: bool, chance: random.Random) -> Counter[str]:
    """Add the tasks, in one transaction; how many there are of each status."""
    made: Counter[str] = Counter()
    source = examples(count, chance, datetime.now(UTC))
    async with terminal.transaction() as connection:
        if clear:
            await connection.execute(delete(Task))
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.copy_records_to_table(
            "tasks", columns=Example._fields, records=counted(source, count, made)
        )
    return made


async def counted(source: Iterator[Example], count: int, made: Counter[str]) -> AsyncIterator[Example]:
    """The same examples, with a progress bar on stderr."""
    with click.progressbar(source, count, "Seeding", update_min_steps=BREATH, file=sys.stderr) as bar:
        for number, example in enumerate(bar):
            if number % BREATH == 0:
                await asyncio.sleep(0)
            made[example.status] += 1
            yield example


if __name__ == "__main__":
    seed_database()
