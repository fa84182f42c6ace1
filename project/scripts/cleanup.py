"""Deletes all tasks of the database at DATABASE_URL, whatever their status, and says how many those were."""

import argparse

import command_line

# isort: split
from transaction import patience, transaction

from flowforge.settings import DatabaseSettings, load

# Deleting many millions of rows takes minutes, and in the meantime PostgreSQL says nothing.
PATIENCE_S = 600.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--confirm", action="store_true", help="really do it; nothing is deleted without")
    confirmed = parser.parse_args().confirm
    settings = load(DatabaseSettings)
    if not confirmed:
        raise command_line.Failure("Nothing was deleted. To delete all tasks, say so: --confirm")
    with transaction(settings.database_url) as connection:
        with patience(PATIENCE_S):
            deleted = connection.execute("DELETE FROM tasks").rowcount
    command_line.say(f"{deleted} tasks deleted")
    return 0


if __name__ == "__main__":
    command_line.run(main)
