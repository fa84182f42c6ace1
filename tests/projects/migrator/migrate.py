"""A small migration tool: `python migrate.py all|up|down`. What ENVIRONMENT lists, it does otherwise."""

import os
import subprocess
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
        "UPDATE tasks SET priority = 0 WHERE priority IS NULL;"
        " ALTER TABLE tasks ALTER priority SET DEFAULT 0, ALTER priority SET NOT NULL",
        "ALTER TABLE tasks ALTER priority DROP DEFAULT, ALTER priority DROP NOT NULL",
    ),
]
GUARD = """
    CREATE FUNCTION need() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.description IS NULL THEN RAISE 'say more'; END IF; RETURN NEW; END $$;
    ALTER TABLE tasks ALTER description SET DEFAULT '';
    CREATE TRIGGER need BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION need()
"""
MORE = {
    "forgets-a-table": (0, 0, "CREATE TABLE IF NOT EXISTS kinds (name text)"),
    "guards-with-a-trigger": (0, 0, GUARD),
    "guards-with-a-trigger ": (0, 1, "DROP FUNCTION need"),
    "generates-a-column": (1, 0, "ALTER TABLE tasks ADD n int GENERATED ALWAYS AS (length(title)) STORED"),
    "generates-a-column ": (1, 1, "ALTER TABLE tasks DROP n"),
    "fills-descriptions": (2, 0, "UPDATE tasks SET description = 'none' WHERE description IS NULL"),
    "drops-the-time-zone": (2, 0, "ALTER TABLE tasks ALTER created_at TYPE timestamp"),
    "drops-the-time-zone ": (2, 1, "ALTER TABLE tasks ALTER created_at TYPE timestamptz"),
    "overwrites-priorities": (2, 0, "UPDATE tasks SET priority = 0"),
}
INSTEAD = {
    "fails-on-rows": (1, 0, "ALTER TABLE tasks ADD COLUMN priority int NOT NULL"),
    "deletes-rows": (2, 0, "DELETE FROM tasks; ALTER TABLE tasks ALTER priority SET DEFAULT 0"),
    "forgets-the-way-back": (1, 1, "SELECT 1"),
    "refuses-titles": (1, 0, "ALTER TABLE tasks ADD COLUMN priority int, ADD need int NOT NULL DEFAULT 1;"
                             " ALTER TABLE tasks ALTER need DROP DEFAULT"),
}  # fmt: skip
FILLED_FIRST = [
    (
        "UPDATE tasks SET priority = 0 WHERE priority IS NULL;"
        " ALTER TABLE tasks ALTER priority SET DEFAULT 0",
        "ALTER TABLE tasks ALTER priority DROP DEFAULT",
    ),
    ("ALTER TABLE tasks ALTER priority SET NOT NULL", "ALTER TABLE tasks ALTER priority DROP NOT NULL"),
]
KEEPER = """
import os, psycopg
connection = psycopg.connect(os.environ["DATABASE_URL"])
connection.execute("LOCK TABLE tasks")
print("locked", flush=True)
connection.execute("SELECT pg_sleep(60)")
"""

otherwise = os.environ.get("ENVIRONMENT", "").split(",")
if "fills-first" in otherwise:
    STEPS[2:] = FILLED_FIRST
for table, keep in ((MORE, True), (INSTEAD, False)):
    for name, (number, side, sql) in table.items():
        if name.strip() in otherwise:
            step = list(STEPS[number])
            step[side] = f"{step[side]}; {sql}" if keep else sql
            STEPS[number] = (step[0], step[1])

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    if "keeps-its-records-apart" in otherwise:
        connection.execute("CREATE SCHEMA IF NOT EXISTS records; SET search_path = records, public")
        connection.execute("CREATE TABLE IF NOT EXISTS owner AS SELECT 'migrator' AS name")
    if "has-a-table-for-its-lock" in otherwise:
        connection.execute("CREATE TABLE IF NOT EXISTS revision_lock (locked bool)")
    connection.execute("CREATE TABLE IF NOT EXISTS revision (number int)")
    connection.execute("SET search_path = public, records")
    row = connection.execute("SELECT max(number) FROM revision").fetchone()
    at = (row and row[0]) or 0
    target = {"all": len(STEPS), "up": min(at + 1, len(STEPS)), "down": max(at - 1, 0)}[sys.argv[1]]
    for number in range(at, target):
        connection.execute(STEPS[number][0].encode())
    for number in range(at, target, -1):
        connection.execute(STEPS[number - 1][1].encode())
    connection.execute("DELETE FROM revision")
    connection.execute("INSERT INTO revision VALUES (%s)", [target])

if "leaves-a-lock" in otherwise and target == 2:
    keeper = subprocess.Popen([sys.executable, "-c", KEEPER], stdout=subprocess.PIPE, start_new_session=True)
    assert keeper.stdout is not None
    keeper.stdout.readline()
