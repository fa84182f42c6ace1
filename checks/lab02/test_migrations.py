"""The migrations: up from nothing, down to nothing, step by step, with rows in the table and under
traffic."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from labkit import migrations, schema, services, tasks
from labkit.checks import check
from labkit.deadlines import scaled, watch
from labkit.evidence import Blocked, CheckFailed, Journal, did, expect, recording, shorten
from labkit.http import Client
from labkit.migrations import STEP_S
from labkit.probe import Probe

BASICS = "lab-02-database.md#migrations"
STEPS = "lab-02-database.md#up-and-down"
ROWS = "lab-02-database.md#tables-with-rows"
TRAFFIC = "lab-02-database.md#migrating-under-traffic"

NEWEST = "lab02.migrations.newest_from_empty"
UPWARDS = "lab02.migrations.every_step_works"
ANSWER_S = 4.0
"""How long an answer may take while a migration goes on: longer than those that lock the table for a moment,
shorter than those that lock it for all their work."""
COLUMNS = (
    "id", "title", "description", "status", "priority", "type", "payload", "result", "error", "attempts",
    "assigned_worker", "request_id", "created_at", "updated_at",
)  # fmt: skip


@check(points=0.4, read=BASICS)
def test_newest_from_empty(newest):
    """`migrate` brings an empty database to the newest revision: a table `tasks` with all columns.

    Somebody new joins your team. How do they get a database like yours?
    """
    did("migrate, on an empty database")
    columns = schema.columns(_schema(newest), "tasks")
    expect(bool(columns), "a table `tasks`", "no such table")
    missing = [name for name in COLUMNS if name not in columns]
    expect(not missing, f"a table `tasks` with {len(COLUMNS)} columns", f"missing: {', '.join(missing)}")


@check(points=0.3, read=BASICS)
def test_migrate_can_be_repeated(the_project, migrated_database):
    """`migrate` on a database in the newest revision exits with 0 and changes nothing.

    It runs at every deployment. How often is there something to do?
    """
    with closing(Probe.of(migrated_database)) as probe:
        for status in ("pending", "completed", "failed"):
            probe.insert(title=f" A {status} task ", status=status, priority=7)
        before, rows = schema.read(probe), _rows(probe)
        did("migrate, a second time")
        ended = services.run(the_project, "migrate", {"DATABASE_URL": migrated_database.url}, STEP_S)
        expect(ended.exit_code == 0, "`migrate` to exit with 0 a second time", migrations.told(ended))
        _same(before, schema.read(probe), "the same schema as before")
        after = _rows(probe)
        changed = [row for row in rows if row not in after] + [row for row in after if row not in rows]
        expect(not changed, "the same rows as before", "changed or gone: " + "\n".join(map(shorten, changed)))


@check(points=0.4, read=BASICS)
def test_two_at_once_do_no_harm(server, the_project, migrated_database):
    """Two `migrate` at the same moment both exit with 0 and leave one right schema.

    Three copies of your service are started together, and each migrates first. Who goes first, and who waits?
    """
    with server.database("twice") as database:
        did("migrate, twice at the same time, on an empty database")
        with ThreadPoolExecutor(2) as pool, recording(Journal()), closing(Probe.of(database)) as probe:
            with probe.schema_held():  # until both have come to the start
                runs = [
                    pool.submit(services.run, the_project, "migrate", {"DATABASE_URL": database.url}, STEP_S)
                    for _ in range(2)
                ]
                watch(lambda: probe.connections() >= 2 and probe.waiting(), 4 / scaled(1))
                watch(lambda: probe.waiting() >= 2, 0.4 / scaled(1))  # theirs to wait may be short
            ended = [run.result() for run in runs]
        for service in ended:
            expect(service.exit_code == 0, "both to exit with 0", migrations.told(service))
        _same(_schema(migrated_database), _schema(database), "the same schema as from one `migrate` alone")


@check(points=0.4, read=STEPS)
def test_every_step_works(walk, migrated_database):
    """`migrate-one` leads from nothing to the newest revision, one step at a time.

    Why would anybody go one step only, and not all the way?
    """
    for step in walk.up:
        expect(not step.trouble, f"{step} to exit with 0", step.trouble)
    expect(bool(walk.up), "`migrate-one` to change an empty database", _said("nothing changed", walk))
    _same(
        _schema(migrated_database), walk.up[-1].schema, "the steps to lead to the schema that `migrate` makes"
    )


@check(points=0.3, read=STEPS)
def test_three_revisions_at_least(walk):
    """There are at least three revisions, the first of which creates `tasks`.

    What makes a change small enough to be undone without fear?
    """
    _reached_the_top(walk)
    expect(
        len(walk.up) >= 3,
        "at least three steps from nothing to the newest revision",
        _said(f"{len(walk.up)} steps; the next changed nothing", walk),
    )
    expect("table tasks" in walk.up[0].schema, "a table `tasks` after the first step", "no such table")


@check(points=0.4, read=STEPS)
def test_priority_comes_in_steps(walk):
    """`priority` is added nullable, and becomes NOT NULL with a default in a later revision.

    A table has ten million rows. What does the database have to do for a column that may be null, and
    for one that may not?
    """
    _reached_the_top(walk)
    first, last = walk.first_with("priority"), walk.up[-1]
    expect(
        1 < first <= len(walk.up), "a later step than the first to add `priority`", f"step {first or 'none'}"
    )
    added = walk.up[first - 1].column("priority")
    expect("NOT NULL" not in added, "`priority` to be nullable at first", f"priority {added}")
    newest = last.column("priority")
    expect(
        "NOT NULL" in newest and "DEFAULT" in newest,
        "NOT NULL and a default in the end",
        f"priority {newest}",
    )
    worker = last.column("assigned_worker")
    expect("NOT NULL" not in worker, "`assigned_worker` to stay nullable", f"assigned_worker {worker}")


@check(points=0.4, read=STEPS)
def test_down_is_the_exact_reverse(walk):
    """Every step down leads back to the schema that was there before the step up.

    At night a release goes wrong and is rolled back. Is the database of yesterday the one your old code
    knows?
    """
    _reached_the_bottom(walk)
    expected = [{}, *(step.schema for step in walk.up)]
    for step in walk.down:
        level = len(walk.up) - step.number
        if level < 1:
            continue
        _same(expected[level], step.schema, f"{step} to lead back to the schema after step {level} up")


@check(points=0.4, read=STEPS)
def test_nothing_is_left_at_the_bottom(walk, server, the_project):
    """All the way down, nothing is left but the migration tool's own bookkeeping.

    What does «undo everything» have to find again: only tables?
    """
    _reached_the_bottom(walk)
    own = walk.records
    if schema.tables(schema.without(walk.bottom, own)):
        with server.database("bottom") as empty:
            own = own | migrations.made_by_the_tool(the_project, empty)
    rest = schema.without(walk.bottom, own - {"tasks"})
    tables = schema.tables(rest)
    expect(
        not rest,
        "no table but the migration tool's bookkeeping, and no index, type, function or sequence",
        ", ".join(["table " + name for name in tables] + list(schema.without(rest, tables))),
    )


@check(points=0.3, read=STEPS)
def test_up_again_is_the_same(walk):
    """Up, all the way down, and up again gives the same schema as the first time.

    What could a way down leave behind that only shows on the next way up?
    """
    _reached_the_bottom(walk)
    expect(not walk.again_trouble, "`migrate` to exit with 0 after all the way down", walk.again_trouble)
    _same(walk.up[-1].schema, walk.again, "the same schema as the first time")


@check(points=0.4, read=ROWS)
def test_title_alone_works_at_every_revision(walk):
    """`INSERT INTO tasks (title) VALUES ('…')` works after every single step, up and down.

    While a migration waits for its next step, old code goes on writing. What does it not know of yet?
    """
    _reached_the_top(walk)
    for step in walk.steps:
        expect(not step.refused, f"an INSERT of a title alone to work after {step}", step.refused)


@check(points=0.5, read=ROWS)
def test_rows_survive_the_way_up(walk):
    """Every step up works on a table with ten thousand rows, old ones with nulls, and loses and changes none.

    What does a table with rows have that an empty one has not, and which of these rows did you mean to touch?
    """
    first = walk.first_with("title")
    if not first or walk.up[first - 1].trouble:
        saw = walk.up[-1].trouble if walk.up else ""
        raise Blocked(UPWARDS, CheckFailed("`migrate-one` to make a table `tasks`", saw or "no such table"))
    for step in walk.up[first:]:
        expect(not step.trouble, f"{step} to work on a table with rows", step.trouble)
        expect(not step.lost, f"every row unchanged after {step}", step.lost)


@check(points=0.5, read=ROWS)
def test_rows_survive_the_way_down(walk):
    """Every step down works on a table with rows and loses none, until the table itself goes.

    The rollback happens after a week of new data. Has your way down ever seen any?
    """
    _reached_the_top(walk)
    expect(bool(walk.down), "`rollback-one` to change something", "nothing changed")
    for step in walk.down:
        expect(not step.trouble, f"{step} to work on a table with rows", step.trouble)
        expect(not step.lost, f"every row unchanged after {step}", step.lost)


@check(points=0.8, read=TRAFFIC)
def test_no_request_is_lost_on_the_way(advised, walk, server, the_project, own_api):
    """While the newest revisions are applied to ten thousand rows, the API answers every request.

    While a migration goes on, which version of your code is running, and who holds what the other waits for?
    """
    _reached_the_top(walk)
    start = walk.first_with("priority")
    with server.database("traffic") as database:
        for _ in range(start):
            services.run(the_project, "migrate-one", {"DATABASE_URL": database.url}, STEP_S)
        did(f"{start} × migrate-one, 10,000 rows, then start `api`")
        with (
            own_api(database) as own,
            Client(own.service.url, None, patience_s=ANSWER_S) as client,
            ThreadPoolExecutor(3) as pool,
        ):
            own.probe.execute("INSERT INTO tasks (title) SELECT 'row ' || n FROM generate_series(1, 10000) n")
            task = tasks.create(own.api)
            did("three clients create, read and replace tasks, while `migrate` runs")
            with recording(Journal()):
                going = [True]
                clients = [pool.submit(_traffic, client, task, going) for _ in range(3)]
                try:
                    ended = services.run(the_project, "migrate", {"DATABASE_URL": database.url}, STEP_S)
                finally:
                    going.clear()
                lost = [line for client in clients for line in client.result()]
    expect(ended.exit_code == 0, "`migrate` to exit with 0", migrations.told(ended))
    expect(
        not lost,
        "every request answered, none with a 5xx",
        "\n".join([f"{len(lost)} lost, the first:", *lost[:1]]),
    )


def _traffic(api, task, going):
    """Requests until `going` is empty; a line for each that was lost."""
    lost = []
    while going:
        for method, path, body in (
            ("POST", "/tasks", {"title": "on the way"}),
            ("GET", "/tasks?limit=5", None),
            ("PUT", f"/tasks/{task['id']}", {"title": "changed on the way", "priority": 5}),
            ("GET", f"/tasks/{task['id']}", None),
        ):
            try:
                answer = api.request(method, path, json=body)
                if answer.status >= 500:
                    lost.append(f"{method} {path}: {answer}")
            except CheckFailed as failure:
                lost.append(f"{method} {path}: {failure.saw}")
    return lost


def _said(what, walk):
    """What came of the last `migrate-one`, and what it printed."""
    return "\n".join([f"{what}; it said:", *walk.said]) if walk.said else what


def _schema(database):
    with closing(Probe.of(database)) as probe:
        return schema.read(probe)


def _rows(probe):
    return [row["text"] for row in probe.query("SELECT to_json(t)::text AS text FROM tasks t ORDER BY id")]


def _same(wanted, found, expected):
    lines = schema.differences(wanted, found)
    more = f"\n… and {len(lines) - 4} differences more" if len(lines) > 4 else ""
    expect(not lines, expected, "\n".join(lines[:4]) + more)


def _reached_the_top(walk):
    broken = next((step for step in walk.up if step.trouble), None)
    if broken or not walk.up:
        saw = broken.trouble if broken else "nothing changed"
        raise Blocked(UPWARDS, CheckFailed(f"{broken or '`migrate-one`'} to work", saw))


def _reached_the_bottom(walk):
    _reached_the_top(walk)
    broken = next((step for step in walk.down if step.trouble), None)
    if broken or not walk.down:
        saw = broken.trouble if broken else "nothing changed"
        raise Blocked(
            "lab02.migrations.rows_survive_the_way_down",
            CheckFailed(f"{broken or '`rollback-one`'} to work", saw),
        )
