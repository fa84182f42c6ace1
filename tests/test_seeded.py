"""What the seeding script makes, seen with a small script of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from labkit import postgres, project
from labkit.episodes import seeded
from labkit.evidence import CheckFailed
from labkit.plays import House

TABLE = """
    CREATE TABLE tasks (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title text, description text, priority int, type text,
        payload json, status text, assigned_worker text, attempts int, error text, result json,
        updated_at timestamptz
    )
"""
SEED = """
import argparse, os, psycopg
parser = argparse.ArgumentParser()
parser.add_argument("--count", type=int)
parser.add_argument("--seed", type=int)
parser.add_argument("--clear", action="store_true")
wanted = parser.parse_args()
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    if wanted.clear:
        connection.execute("DELETE FROM tasks")
    for number in range(wanted.count):
        connection.execute("INSERT INTO tasks (title) VALUES (%s)", [f"{wanted.seed}/{number}"])
"""
API = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(500)

HTTPServer((os.environ["API_HOST"], int(os.environ["API_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def house(a_project: Callable[..., Path]) -> Iterator[House]:
    """A house with a table `tasks`, a seeding script, and an API that knows no answer."""
    folder = a_project("api: python api.py", api=API)
    (folder / "scripts").mkdir()
    (folder / "scripts" / seeded.SCRIPT).write_text(SEED, encoding="utf-8")
    server = postgres.open_server()
    with server.database("template") as template:
        with psycopg.connect(template.url, autocommit=True) as connection:
            connection.execute(TABLE)
        yield House(project.load(folder), server, template.name, threading.Event())


def test_two_runs_and_one_more_on_each(house: House) -> None:
    found = seeded.observe(house)
    assert [run.code for run in (found.first, found.again, found.cleared, found.added)] == [0, 0, 0, 0]
    titles = [sorted(row["title"] for row in rows) for rows in (found.rows, found.rows_again)]
    assert titles[0] == titles[1]
    assert len(titles[0]) == seeded.COUNT
    assert {row["title"] for row in found.rows_cleared} == {f"42/{n}" for n in range(seeded.FEWER)}
    assert len(found.rows_added) == seeded.COUNT + 1
    assert isinstance(found.served, CheckFailed)


def test_without_a_script_nothing_is_observed(house: House) -> None:
    (house.project.folder / "scripts" / seeded.SCRIPT).unlink()
    with pytest.raises(CheckFailed, match=r"a script scripts/seed-database\.py"):
        seeded.observe(house)
