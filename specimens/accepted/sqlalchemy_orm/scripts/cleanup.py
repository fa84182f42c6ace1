"""Deletes all tasks."""

import start  # noqa: F401

# isort: split
import click
from sqlalchemy import delete

from flowforge import terminal
from flowforge.models import Task


@click.command(help="Delete all tasks from the database of DATABASE_URL.")
@click.option("--confirm", is_flag=True, help="Yes, I mean it.")
def cleanup(confirm: bool) -> None:
    if not confirm:
        raise click.ClickException("Nothing was deleted. Run it with --confirm to delete all tasks.")
    click.echo(f"{terminal.run(delete_all())} tasks deleted.")


async def delete_all() -> int:
    async with terminal.transaction() as connection:
        return (await connection.execute(delete(Task))).rowcount


if __name__ == "__main__":
    cleanup()
