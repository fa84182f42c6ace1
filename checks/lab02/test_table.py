"""The table guards itself, whoever writes into it, and serves the queue."""

from contextlib import closing

from labkit.checks import check
from labkit.evidence import did, expect
from labkit.probe import Probe

GUARDS = "lab-02-database.md#a-table-that-guards-itself"
INDEX = "lab-02-database.md#the-queues-index"
CLAIM = """
    SELECT id FROM tasks WHERE status = 'pending'
    ORDER BY priority DESC, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""


@check(points=0.3, read=GUARDS)
def test_refuses_unknown_statuses(stack, probe):
    """The table takes the four statuses of the contract, and no other.

    Who writes into this table besides your API, and who checks what they write?
    """
    for status in ("pending", "completed", "failed"):  # what is processing may need a worker
        probe.insert(title="x", status=status)
    for status in ("lost", "", "PENDING"):
        probe.refuses(f"the status {status!r}", title="x", status=status)


@check(points=0.2, read=GUARDS)
def test_refuses_wrong_priorities(stack, probe):
    """The table takes priorities from -100 to 100, and no null.

    The highest priority goes first. What would two billion do to all others, and what does a null do?
    """
    for priority in (-100, 100):
        probe.insert(title="x", priority=priority)
    for priority in (-101, 101, None):
        shown = "null" if priority is None else priority
        probe.refuses(f"the priority {shown}", title="x", priority=priority)


@check(points=0.2, read=GUARDS)
def test_refuses_wrong_titles(stack, probe):
    """The table takes titles of 1 to 200 characters, and no null.

    What does your column count, bytes or characters, and from how many on?
    """
    probe.insert(title="🌴" * 200)
    for title, which in (
        ("", "an empty title"),
        ("x" * 201, "a title of 201 characters"),
        (None, "a title that is null"),
    ):
        probe.refuses(which, title=title)


@check(points=0.3, read=GUARDS)
def test_a_title_is_enough(api, probe):
    """`INSERT INTO tasks (title) VALUES ('…')` makes a whole task, which the API shows like any other.

    Which values does the database know by itself, and which only your code?
    """
    task = api.get(f"/tasks/{probe.insert(title='Only a title')}").expect(200).task
    wanted = {
        "description": "",
        "status": "pending",
        "priority": 0,
        "type": "noop",
        "payload": {},
        "attempts": 0,
    }
    for name, value in wanted.items():
        expect(task.get(name) == value, f"`{name}` to be {value!r}", repr(task.get(name)))
    for name in ("created_at", "updated_at"):
        expect(bool(task.get(name)), f"a time in `{name}`", repr(task.get(name)))


@check(points=0.5, read=INDEX)
def test_index_serves_the_queue(migrated_database):
    """The next task to run is found by an index: no sequential scan and no sort, with 50,000 rows waiting.

    Read the query backwards: in which order must an index hold the rows so that the first one is the answer?
    """
    with closing(Probe.of(migrated_database)) as probe:
        _fill(probe, "pending", 50_000)
        did("EXPLAIN SELECT id FROM tasks WHERE status = 'pending' ORDER BY … LIMIT 1 FOR UPDATE SKIP LOCKED")
        nodes = probe.plan(CLAIM)
        wrong = [node for node in nodes if "Seq Scan" in node or "Sort" in node or "Bitmap" in node]
        expect(not wrong, "a plan without sequential scan and sort", " → ".join(nodes))


@check(points=0.3, read=INDEX)
def test_index_holds_pending_rows_only(migrated_database):
    """The queue's index knows only pending tasks, so it stays small however many tasks are done.

    A year has passed, and ten million tasks are completed. How large is the index that finds the next one?
    """
    with closing(Probe.of(migrated_database)) as probe:
        _fill(probe, "completed", 20_000)
        before = _sizes(probe)
        probe.execute(
            "INSERT INTO tasks (title, status) SELECT 'done', 'completed' FROM generate_series(1, 20000)"
        )
        after = _sizes(probe)
        small = [name for name in after if after[name] == before.get(name) and after[name] <= 2 * 8192]
        _fill(probe, "pending", 5_000)
        waiting = _sizes(probe)
        queue = [name for name in small if waiting[name] > after[name]]
        expect(
            bool(queue),
            "an index on `tasks` that does not grow with completed tasks, and does with pending ones",
            "\n".join(
                f"{name}: {after[name] // 1024} kB with 40,000 completed tasks, {waiting[name] // 1024} kB "
                "with 5,000 pending ones more"
                for name in after
            ),
        )


def _fill(probe, status, count):
    probe.execute(
        "INSERT INTO tasks (title, status, priority, created_at)"
        " SELECT 'task ' || n, %s, n %% 7, now() - n * interval '1 second' FROM generate_series(1, %s) n",
        status,
        count,
    )
    probe.connection.execute("ANALYZE tasks")


def _sizes(probe):
    rows = probe.query(
        "SELECT indexrelid::regclass::text AS name, pg_relation_size(indexrelid) AS size"
        " FROM pg_index WHERE indrelid = 'tasks'::regclass"
    )
    return {row["name"]: row["size"] for row in rows}
