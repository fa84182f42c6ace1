"""Empties the table of tasks."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from flowforge.scripts.entry import Failure
from flowforge.scripts.session import transaction

DELETE = "WITH deleted AS (DELETE FROM tasks RETURNING id) SELECT count(*) FROM deleted"


def cleanup(
    confirm: Annotated[bool, typer.Option("--confirm", help="Without this, nothing is deleted.")] = False,
) -> None:
    """Delete all tasks, and print how many they were."""
    if not confirm:
        raise Failure("Nothing has been deleted: that needs --confirm.")
    typer.echo(f"tasks deleted: {asyncio.run(delete_all())}")


async def delete_all() -> int:
    async with transaction() as connection:
        return int(await connection.fetchval(DELETE))
