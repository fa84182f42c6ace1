"""Workers that live and then do not, seen with small ones of our own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg

from labkit import postgres, project
from labkit.episodes import lives
from labkit.plays import House

TABLE = """
    CREATE TABLE tasks (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title text, type text, payload json,
        status text DEFAULT 'pending', assigned_worker text, attempts int, error text, result json,
        updated_at timestamptz DEFAULT now()
    )
"""
WORKER = """
import os, time, psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    while True:
        connection.execute("UPDATE tasks SET status = 'completed' WHERE status = 'pending'")
        connection.execute("UPDATE tasks SET updated_at = clock_timestamp()")
        time.sleep(0.05)
"""
HEALTH = """
import json, os, sys, psycopg
query = "SELECT extract(epoch FROM clock_timestamp() - max(updated_at))::float FROM tasks"
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    [(silent_s,)] = connection.execute(query)
lease_s = int(os.environ["WORKER_LEASE"].removesuffix("ms")) / 1000
print(json.dumps({"up": silent_s < lease_s, "arguments": sys.argv[1:]}))
"""


def test_all_up_and_then_all_down(a_project: Callable[..., Path]) -> None:
    folder = a_project("worker: python worker.py", worker=WORKER)
    (folder / "scripts").mkdir()
    (folder / "scripts" / lives.SCRIPT).write_text(HEALTH, encoding="utf-8")
    server = postgres.open_server()
    with server.database("template") as template:
        with psycopg.connect(template.url, autocommit=True) as connection:
            connection.execute(TABLE)
        found = lives.observe(House(project.load(folder), server, template.name, threading.Event()))
    assert found.before.json == {"up": True, "arguments": ["--json"]}
    assert json.loads(found.before_plain.out) == {"up": True, "arguments": []}
    assert {name: ended.json["up"] for name, ended in found.after.items()} == dict.fromkeys(
        lives.WORKERS, False
    )
