"""The probe: locks that are held and given back, connections that are counted and cut."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from labkit import postgres
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
        assert probe.kill_connections() == 1
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")


def test_refuses(probe: Probe) -> None:
    probe.refuses("an empty title", title="")
    with pytest.raises(CheckFailed, match="the INSERT was accepted"):
        probe.refuses("a good title", title="good")


def test_what_it_does_is_recorded(probe: Probe) -> None:
    with recording(Journal()) as journal:
        probe.execute("UPDATE tasks SET title = 'x'")
    assert journal.did() == "psql: UPDATE tasks SET title = 'x'"


def test_plans_are_flattened(probe: Probe) -> None:
    assert probe.plan("SELECT * FROM tasks ORDER BY title") == ["Sort", "Seq Scan"]
