"""The probe: locks that are held and given back, connections that are counted and cut."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from labkit import postgres
from labkit.deadlines import wait_until
from labkit.evidence import CheckFailed, Journal, recording
from labkit.probe import Probe


@pytest.fixture
def probe() -> Iterator[Probe]:
    """The admin's eyes in a database with a small table `tasks`."""
    with postgres.open_server().database("probe") as database:
        probe = Probe.of(database)
        probe.connection.execute(
            "CREATE TABLE tasks"
            " (id int GENERATED ALWAYS AS IDENTITY, title text NOT NULL CHECK (title <> ''))"
        )
        probe.connection.execute(f"ALTER TABLE tasks OWNER TO {database.role}".encode())
        yield probe
        probe.close()


def test_rows_and_counts(probe: Probe) -> None:
    task_id = probe.insert(title="one")
    assert probe.row(task_id) == {"id": int(task_id), "title": "one"}
    assert probe.row("99") is None
    assert probe.count() == 1


def test_a_lock_is_held_and_given_back(probe: Probe) -> None:
    with psycopg.connect(probe.database.url, autocommit=True) as other:
        other.execute("SET lock_timeout = '50ms'")
        with probe.locked_table(), pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("SELECT 1 FROM tasks")
        other.execute("SELECT 1 FROM tasks")


def test_who_waits_is_counted(probe: Probe) -> None:
    other = psycopg.connect(probe.database.url, autocommit=True)
    with closing(other), probe.locked_table():
        assert probe.waiting() == 0
        other.pgconn.send_query(b"SELECT 1 FROM tasks")
        assert probe.wait_for_waiting(1)


def test_connections_are_counted_and_cut(probe: Probe) -> None:
    assert probe.connections() == 0
    with psycopg.connect(probe.database.url, autocommit=True) as other:
        assert probe.connections() == 1
        assert probe.most_connections(for_s=0.05) == 1
        assert probe.kill_connections() == 1
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")


def test_killed_connections_are_gone(probe: Probe) -> None:
    with closing(psycopg.connect(probe.database.url, autocommit=True)):
        probe.kill_connections()
        assert probe.connections() == 0


def test_refuses(probe: Probe) -> None:
    probe.refuses("an empty title", title="")
    with pytest.raises(CheckFailed, match="the INSERT was accepted"):
        probe.refuses("a good title", title="good")
    with pytest.raises(CheckFailed, match="a table `tasks` with the contract's columns"):
        probe.refuses("a strange column", strange=1)


@pytest.mark.parametrize(
    "reaction",
    ["RAISE 'no'", "RAISE 'no' USING ERRCODE = 'AB123'", "RETURN NULL", "NEW.title := 'mended'; RETURN NEW"],
)
def test_a_trigger_may_keep_a_row_out(probe: Probe, reaction: str) -> None:
    guard(probe, f"IF NEW.title = 'bad' THEN {reaction}; END IF; RETURN NEW;")
    probe.refuses("a bad title", title="bad")
    assert probe.row(probe.insert(title="good")) is not None


def test_a_broken_trigger_is_no_refusal(probe: Probe) -> None:
    guard(probe, "PERFORM 1 FROM nowhere; RETURN NEW;")
    with pytest.raises(CheckFailed):
        probe.refuses("a bad title", title="bad")


def test_an_insert_that_leaves_nothing_is_told(probe: Probe) -> None:
    guard(probe, "RETURN NULL;")
    with pytest.raises(CheckFailed, match="no error, but no row either"):
        probe.insert(title="good")


def guard(probe: Probe, body: str) -> None:
    """Put a trigger before every INSERT."""
    function = f"CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
    probe.connection.execute(function.encode())
    probe.connection.execute(
        "CREATE TRIGGER guard BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION guard()"
    )


def test_a_table_that_stays_locked_fails_the_check(probe: Probe) -> None:
    probe.connection.execute("SET lock_timeout = '50ms'")
    with psycopg.connect(probe.database.url) as other:
        other.execute("LOCK TABLE tasks")
        with pytest.raises(CheckFailed, match="is a transaction left open"):
            probe.count()


def test_commits_are_held(probe: Probe) -> None:
    with closing(psycopg.connect(probe.database.url, autocommit=True)) as other:
        with probe.commits_held():
            other.pgconn.send_query(b"INSERT INTO tasks (title) VALUES ('held')")
            assert probe.wait_for_waiting(1)
            assert probe.count() == 0
        assert wait_until(lambda: probe.count() == 1, within=5)
    probe.insert(title="free again")


def test_what_it_does_is_recorded(probe: Probe) -> None:
    with recording(Journal()) as journal:
        probe.execute("UPDATE tasks SET title = 'x'")
    assert journal.did() == "psql: UPDATE tasks SET title = 'x'"


def test_plans_are_flattened(probe: Probe) -> None:
    assert probe.plan("SELECT * FROM tasks ORDER BY title") == ["Sort", "Seq Scan"]


def test_the_schema_is_held(probe: Probe) -> None:
    with closing(psycopg.connect(probe.database.url, autocommit=True)) as other:
        other.execute("SET lock_timeout = '50ms'")
        with probe.schema_held():
            other.execute("SELECT 1 FROM tasks")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("CREATE TABLE more (id int)")
        other.execute("CREATE TABLE more (id int)")
