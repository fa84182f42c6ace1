"""What seed-database.py makes: three runs on two databases, looked at by many checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit import evidence, scripts
from labkit.evidence import CheckFailed, Journal
from labkit.http import Client, Response, pages
from labkit.plays import House
from labkit.scripts import Ended
from labkit.stage import Stage

SCRIPT = "seed-database.py"
COUNT = 120
FEWER = 7
REPEATED = ("title", "description", "priority", "type", "payload", "status")
"""The fields that the same seed and count make the same."""

Rows = list[dict[str, Any]]


@dataclass
class Seeded:
    """Runs with the same seed and count on two empty tables; then one more on each."""

    first: Ended
    again: Ended
    rows: Rows
    rows_again: Rows
    served: list[Response] | CheckFailed
    """The pages of GET /tasks with the first run's tasks, or why there are none."""
    cleared: Ended
    """`--count FEWER --clear`, with another seed, on the first table."""
    rows_cleared: Rows
    added: Ended
    """`--count 1` on the second one."""
    rows_added: Rows


def observe(house: House) -> Seeded:
    """Seed; an error if there is no script, or if the API does not start."""
    with house.stage() as one, house.stage() as other:
        client = Client(one.api().url, None)
        arguments = ("--count", str(COUNT), "--seed", "41")
        evidence.journal().logs.clear()  # what the API logs is not the point
        first, again = _seed(one, *arguments), _seed(other, *arguments)
        rows, rows_again = _rows(one), _rows(other)
        served = _served(client)
        cleared = _seed(one, "--count", str(FEWER), "--seed", "42", "--clear")
        added = _seed(other, "--count", "1")
        return Seeded(first, again, rows, rows_again, served, cleared, _rows(one), added, _rows(other))


def _seed(play: Stage, *arguments: str) -> Ended:
    settings: Mapping[str, str] = {"DATABASE_URL": play.database.url}
    return scripts.run(play.project, SCRIPT, *arguments, settings=settings)


def _rows(play: Stage) -> Rows:
    return play.probe.query(
        "SELECT title, description, priority, type, payload, status::text AS status FROM tasks"
    )


def _served(client: Client) -> list[Response] | CheckFailed:
    with evidence.aside(Journal()):
        try:
            return list(pages(client, "/tasks", 50))
        except CheckFailed as failure:
            return failure
