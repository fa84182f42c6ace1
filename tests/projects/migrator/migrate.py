"""A migration tool of thirty lines: `python migrate.py all|up|down`. The environment breaks it on purpose."""

import os
import sys

import psycopg

STEPS = [
    (
        "CREATE TABLE tasks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title text NOT NULL,"
        " description text, status text NOT NULL DEFAULT 'pending', type text,"
        " created_at timestamptz NOT NULL DEFAULT now())",
        "DROP TABLE tasks",
    ),
    ("ALTER TABLE tasks ADD COLUMN priority int", "ALTER TABLE tasks DROP COLUMN priority"),
    (
        "UPDATE tasks SET priority = 0;"
        " ALTER TABLE tasks ALTER priority SET DEFAULT 0, ALTER priority SET NOT NULL",
        "ALTER TABLE tasks ALTER priority DROP DEFAULT, ALTER priority DROP NOT NULL",
    ),
]
BREAKS = {
    "fails-on-rows": (1, 0, "ALTER TABLE tasks ADD COLUMN priority int NOT NULL"),
    "deletes-rows": (2, 0, "DELETE FROM tasks; ALTER TABLE tasks ALTER priority SET DEFAULT 0"),
    "forgets-the-way-back": (1, 1, "SELECT 1"),
    "refuses-titles": (1, 0, "ALTER TABLE tasks ADD COLUMN priority int, ADD need int NOT NULL DEFAULT 1;"
                             " ALTER TABLE tasks ALTER need DROP DEFAULT"),
}  # fmt: skip
if broken := BREAKS.get(os.environ.get("ENVIRONMENT", "")):
    number, side, sql = broken
    STEPS[number] = (sql, STEPS[number][1]) if side == 0 else (STEPS[number][0], sql)

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS revision (number int)")
    row = connection.execute("SELECT max(number) FROM revision").fetchone()
    at = (row and row[0]) or 0
    target = {"all": len(STEPS), "up": min(at + 1, len(STEPS)), "down": max(at - 1, 0)}[sys.argv[1]]
    for number in range(at, target):
        connection.execute(STEPS[number][0].encode())
    for number in range(at, target, -1):
        connection.execute(STEPS[number - 1][1].encode())
    connection.execute("DELETE FROM revision")
    connection.execute("INSERT INTO revision VALUES (%s)", [target])
