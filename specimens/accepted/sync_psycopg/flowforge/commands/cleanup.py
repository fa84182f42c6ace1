"""Deletes all tasks."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from flowforge.commands.database import transaction
from flowforge.commands.run import Failed, Result
from flowforge.settings import read_some


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="Delete all tasks of the database that DATABASE_URL names.")
    parser.add_argument("--confirm", action="store_true", help="yes, all of them; without it nothing happens")
    return parser


def act(arguments: Namespace, environ: Mapping[str, str]) -> Result:
    url = read_some(environ, "database_url")["database_url"]
    if not arguments.confirm:
        raise Failed("Nothing has been deleted. To delete all tasks, say so: --confirm")
    with transaction(url, "Deleting all tasks") as connection:
        deleted = connection.execute("DELETE FROM tasks").rowcount
    return Result(f"Deleted {deleted} tasks.")
