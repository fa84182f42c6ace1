"""seed-database.py: as many tasks as told, believable, repeatable, quickly, and all or nothing."""

import json
import re
import signal
import time
from collections import Counter

from psycopg.sql import SQL, Identifier

from labkit import scripts
from labkit.checks import check
from labkit.deadlines import scaled
from labkit.episodes.seeded import COUNT, FEWER, REPEATED
from labkit.evidence import CheckFailed, did, expect, only, shorten

HANDOUT = "lab-04-operations.md#seeding"
SCRIPT = "seed-database.py"
RUN = f"python scripts/{SCRIPT}"
STATUSES = {"pending", "processing", "completed", "failed"}
MANY = 150_000
"""More than any script can make before it is interrupted."""
MUCH = 2_000_000
"""A file of this size, in bytes, holds some thousand tasks."""
SOME = 30_000
RATIO = 20
START_S = 3.0
"""What a script may take to start, to stop, and to share the machine with other checks (scaled)."""


@check(points=0.6, read=HANDOUT)
def test_makes_as_many_as_told(seeded, the_contract):
    """`--count` tasks are made, in all four statuses; the API serves each of them, and a summary tells of it.

    Your script goes past the API, straight into the table. What is found there on a busy day, and what did
    the API look after that you now must?
    """
    only(f"{RUN} --count {COUNT} --seed 41, on an empty table", "GET /tasks, page by page")
    seeded.first.expect(0, f"of {SCRIPT} --count {COUNT}")
    expect(len(seeded.rows) == COUNT, f"{COUNT} rows", len(seeded.rows))
    found = {row["status"] for row in seeded.rows}
    expect(found == STATUSES, "tasks in all four statuses", ", ".join(sorted(found)))
    expect(str(COUNT) in seeded.first.said, f"a summary that tells of {COUNT} tasks", seeded.first)
    if isinstance(seeded.served, CheckFailed):
        raise seeded.served
    served = [task for page in seeded.served for task in page.tasks]
    expect(len(served) == COUNT, f"{COUNT} tasks in GET /tasks", len(served))
    for page in seeded.served:
        asked = page.request
        strays = the_contract.violations(asked.method, asked.path, page.status, page.headers, page.body)
        expect(not strays, "tasks that the API can show in keeping with openapi.yaml", _told(strays))


@check(points=0.4, read=HANDOUT)
def test_same_seed_same_tasks(seeded):
    """The same `--seed` and `--count` make the same tasks on another empty table; another seed makes others.

    Somebody reports a bug that they saw with your data. How do you get to see the same?
    """
    only(f"{RUN} --count {COUNT} --seed 41, on each of two empty tables")
    seeded.again.expect(0, f"of {SCRIPT} --count {COUNT} --seed 41")
    one, other = _contents(seeded.rows), _contents(seeded.rows_again)
    expect(one == other, f"the same {', '.join(REPEATED)} twice", _differing(seeded.rows, seeded.rows_again))
    only(f"{RUN} --count {COUNT} --seed 41", f"{RUN} --count {FEWER} --seed 42 --clear")
    expect(
        not _contents(seeded.rows_cleared) <= one,
        "other tasks with another seed",
        f"all {FEWER} tasks of seed 42 are among those of seed 41",
    )


@check(points=0.3, read=HANDOUT)
def test_clears_first_if_told(seeded):
    """With `--clear` the new tasks are alone in the table; without it they are added to what is there.

    You run it a second time. Which of the two would you have expected, had you not read the help?
    """
    only(f"{RUN} --count {COUNT} --seed 41", f"{RUN} --count {FEWER} --seed 42 --clear")
    seeded.cleared.expect(0, f"of {SCRIPT} --count {FEWER} --clear")
    expect(
        len(seeded.rows_cleared) == FEWER,
        f"{FEWER} rows after --count {FEWER} --clear",
        len(seeded.rows_cleared),
    )
    only(f"{RUN} --count {COUNT} --seed 41", f"{RUN} --count 1")
    seeded.added.expect(0, f"of {SCRIPT} --count 1")
    expect(
        len(seeded.rows_added) == len(seeded.rows_again) + 1,
        f"{len(seeded.rows_again) + 1} rows after --count 1 on {len(seeded.rows_again)}",
        len(seeded.rows_added),
    )


@check(points=0.4, read=HANDOUT)
def test_believable_tasks(seeded):
    """Titles are words and differ; descriptions, priorities, types and payloads vary.

    You show your project to somebody, and each line of the list looks like the one above it. What will they
    ask?
    """
    only(f"{RUN} --count {COUNT} --seed 41")
    seeded.first.expect(0, f"of {SCRIPT} --count {COUNT}")
    rows = seeded.rows
    expect(bool(rows), f"{COUNT} rows", "none")
    titles = Counter(" ".join(re.findall(r"[^\W\d_]{2,}", str(row["title"]))).lower() for row in rows)
    expect("" not in titles, "titles of words", shorten(repr(_shortest(rows))))
    few = f"{len(titles)} different ones among {len(rows)}, numbers aside, such as {_shortest(rows)!r}"
    expect(len(titles) >= len(rows) / 3, "titles that differ in their words", few)
    for name, least in (("description", 5), ("priority", 3), ("type", 3), ("payload", 5)):
        values = {json.dumps(row[name], sort_keys=True, default=str) for row in rows}
        expect(
            len(values) >= least,
            f"at least {least} different values of {name} among {len(rows)} tasks",
            ", ".join(shorten(value, 80) for value in sorted(values)),
        )


@check(points=0.5, read=HANDOUT)
def test_interrupted_leaves_nothing(stage):
    """Interrupted half-way, by Ctrl-C, the script has changed nothing at all, not even with `--clear`.

    Half of the work is done when somebody pulls the plug. What would you want to find in the morning?
    """
    before = sorted(stage.add(title=f"was there before {number}") for number in range(3))
    _without_audit(stage)
    began = time.monotonic()
    arguments = ("--count", str(MANY), "--clear")
    settings = {"DATABASE_URL": stage.database.url}
    with scripts.started(stage.project, SCRIPT, *arguments, settings=settings) as script:
        stage.until(lambda: _at_work(stage) or script.exit_code is not None, within=10)
        stage.until(lambda: _well_under_way(stage, before) or script.exit_code is not None, within=6)
        interrupted = script.exit_code is None
        if interrupted:
            script.send(signal.SIGINT)
        ended = scripts.ended(script, SCRIPT, began, within=30).without_traceback()
    after = _ids(stage)
    if interrupted and ended.code != 0:
        expect(
            after == before,
            "the three tasks that were there before, and nothing else",
            f"{len(after):,} rows, {len(set(before) & set(after))} of these from before",
        )
    else:
        ended.expect(0, f"of {SCRIPT} --count {MANY}, if nobody interrupts it")
        expect(len(after) == MANY, f"{MANY:,} rows, since it says that it was successful", f"{len(after):,}")


@check(points=0.3, read=HANDOUT)
def test_fast_enough(stage):
    """Many tasks take at most twenty times as long as it takes PostgreSQL to COPY the same rows.

    A million journeys to the database, or one journey with a million rows: what does each of them cost?
    """
    _without_audit(stage)
    settings = {"DATABASE_URL": stage.database.url}
    for _ in range(2):  # the other checks are at work, too: the better of two
        stage.probe.connection.execute("DELETE FROM tasks")
        ended = scripts.run(stage.project, SCRIPT, "--count", str(SOME), settings=settings, within=25)
        ended.expect(0, f"of {SCRIPT} --count {SOME}")
        rows = stage.probe.count()
        expect(rows == SOME, f"{SOME:,} rows", f"{rows:,}")
        plain_s = _copy_s(stage)
        most = RATIO * plain_s + scaled(START_S)
        if ended.duration_s <= most:
            return
    expect(
        False,
        f"{SOME:,} tasks within {most:.1f} s: {RATIO} times the {plain_s:.2f} s of COPY, and a start",
        f"{ended.duration_s:.1f} s",
    )


def _without_audit(stage):
    """Our own trigger costs time for each row."""
    stage.probe.connection.execute("DROP TRIGGER labkit_changes ON tasks")


def _copy_s(stage):
    """How long PostgreSQL takes to COPY the rows of `tasks` into another table like it, in seconds."""
    did("COPY the same rows into a table like it")
    named = stage.probe.query(
        "SELECT attname AS name FROM pg_attribute WHERE attrelid = 'tasks'::regclass"
        " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
    )
    columns = SQL(", ").join(Identifier(row["name"]) for row in named)
    connection = stage.probe.connection
    connection.execute("DROP TABLE IF EXISTS labkit_copied")
    connection.execute("CREATE TABLE labkit_copied (LIKE tasks INCLUDING ALL)")
    with connection.cursor().copy(SQL("COPY (SELECT {} FROM tasks) TO STDOUT").format(columns)) as out:
        rows = b"".join(out)
    began = time.monotonic()
    with connection.cursor().copy(SQL("COPY labkit_copied ({}) FROM STDIN").format(columns)) as into:
        into.write(rows)
    return time.monotonic() - began


def _at_work(stage):
    """Whether somebody else is in a transaction that has changed something, or writes just now."""
    return stage.probe.value(
        "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
        " WHERE c.relname = 'tasks' AND l.mode = 'RowExclusiveLock' AND l.granted"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


def _well_under_way(stage, before):
    """Whether thousands of rows are on their way: those that nobody has committed take up room as well."""
    room = stage.probe.value("SELECT pg_relation_size('tasks')")
    return room > MUCH or _ids(stage) != before


def _ids(stage):
    return sorted(row["id"] for row in stage.probe.query("SELECT id::text AS id FROM tasks"))


def _contents(rows):
    return Counter(json.dumps([row[name] for name in REPEATED], sort_keys=True, default=str) for row in rows)


def _differing(rows, others):
    """Which fields have other values in the second table, each with a value that is in the first one only."""
    if len(rows) != len(others):
        return f"{len(rows)} tasks, then {len(others)}"
    lines = []
    for name in REPEATED:
        one, other = (
            Counter(json.dumps(row[name], default=str) for row in table) for table in (rows, others)
        )
        if left := list((one - other).elements()):
            lines.append(f"{name}: {len(left)} of {len(rows)} differ, such as {shorten(left[0], 100)}")
    return "\n".join(lines) or "the same values, in other combinations"


def _shortest(rows):
    return min((str(row["title"]) for row in rows), key=len)


def _told(violations):
    return "\n".join(f"{one.where}: {one.message}" for one in violations[:3])
