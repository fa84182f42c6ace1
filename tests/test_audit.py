"""The audit: what is written down; that its owner cannot forge it; who switches it off is found."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from labkit import audit, postgres
from labkit.evidence import CheckFailed
from labkit.probe import Probe

TABLE = """
    CREATE TYPE state AS ENUM ('pending', 'processing', 'completed', 'failed');
    CREATE TABLE tasks (
        id int GENERATED ALWAYS AS IDENTITY, title text, status state DEFAULT 'pending', assigned_worker text,
        attempts int DEFAULT 0, error text, result jsonb, updated_at timestamptz DEFAULT now(), beat int
    );
"""
CASTS = """
    CREATE TABLE seen (who text);
    CREATE FUNCTION told(state) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO seen VALUES (CURRENT_USER); RETURN 'completed'; END $$;
    CREATE CAST (state AS text) WITH FUNCTION told(state) AS IMPLICIT;
"""


@pytest.fixture
def probe() -> Iterator[Probe]:
    with postgres.open_server().database("audit") as database:
        probe = Probe.of(database)
        probe.connection.execute(TABLE)
        yield probe
        probe.close()


def test_every_change_that_a_client_can_see_is_written_down(probe: Probe) -> None:
    audit.install(probe)
    task = probe.insert(title="one")
    probe.execute("UPDATE tasks SET status = 'processing', assigned_worker = 'w', attempts = 1")
    probe.execute("UPDATE tasks SET beat = 7")
    probe.execute("UPDATE tasks SET error = ''")
    probe.execute("UPDATE tasks SET status = 'failed', error = 'so'")
    probe.execute("DELETE FROM tasks")
    seen = [(c.before, c.after, c.worker, c.attempts, c.claims) for c in audit.changes(probe, task)]
    assert seen == [
        (None, "pending", None, 0, False),
        ("pending", "processing", "w", 1, True),
        ("processing", "processing", "w", 1, False),
        ("processing", "failed", "w", 1, False),
        ("failed", None, None, None, False),
    ]
    assert audit.changes(probe, "another") == []


def test_what_nobody_could_tell_apart_is_one_change(probe: Probe) -> None:
    audit.install(probe)
    first, second = probe.insert(title="one"), probe.insert(title="two")
    with probe.connection.transaction():
        probe.execute("UPDATE tasks SET status = 'processing'")
        probe.execute("UPDATE tasks SET assigned_worker = 'w', attempts = attempts + 1")
    probe.execute("UPDATE tasks SET attempts = attempts + 1")
    with probe.connection.transaction():
        probe.execute("UPDATE tasks SET status = 'pending'")
        probe.execute("UPDATE tasks SET status = 'processing'")
    for task in (first, second):
        seen = [(c.before, c.after, c.worker, c.attempts, c.claims) for c in audit.changes(probe, task)]
        assert seen == [
            (None, "pending", None, 0, False),
            ("pending", "processing", "w", 1, True),
            ("processing", "processing", "w", 2, True),
            ("processing", "pending", "w", 2, False),
            ("pending", "processing", "w", 2, True),
        ]


def test_a_cast_of_the_projects_own_is_not_run_with_our_rights(probe: Probe) -> None:
    probe.connection.execute(CASTS)
    audit.install(probe)
    probe.insert(title="one")
    probe.execute("UPDATE tasks SET attempts = 2")
    assert [change.after for change in audit.changes(probe)] == ["pending", "pending"]
    assert probe.query("SELECT who FROM seen") == []
    assert probe.value("SELECT status::text FROM tasks") == "completed", "the cast is there"


@pytest.mark.parametrize(
    "forgery",
    [
        "SELECT * FROM labkit.changes",
        "INSERT INTO labkit.changes (task) VALUES ('1')",
        "DELETE FROM labkit.changes",
        "DROP SCHEMA labkit CASCADE",
        "CREATE TRIGGER again AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION labkit.write_down()",
        "ALTER FUNCTION labkit.write_down() RENAME TO forget",
    ],
)
def test_the_tables_owner_can_neither_read_nor_forge_it(probe: Probe, forgery: str) -> None:
    audit.install(probe)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        probe.connection.execute(forgery.encode())


@pytest.mark.parametrize(
    "trick",
    [
        "ALTER TABLE tasks DISABLE TRIGGER labkit_changes",
        "ALTER TABLE tasks DISABLE TRIGGER ALL; ALTER TABLE tasks ENABLE TRIGGER ALL",
        "ALTER TABLE tasks ENABLE REPLICA TRIGGER labkit_changes",
        "DROP TRIGGER labkit_changes ON tasks",
        "DROP TABLE tasks",
        "ALTER TABLE tasks RENAME TO hidden; CREATE VIEW tasks AS SELECT * FROM hidden",
        "CREATE SCHEMA away; ALTER TABLE tasks SET SCHEMA away; CREATE TABLE tasks (id int)",
    ],
)
def test_who_switches_it_off_is_found(probe: Probe, trick: str) -> None:
    audit.install(probe)
    probe.execute("ALTER TABLE tasks RENAME TO tasks_away")
    probe.execute("ALTER TABLE tasks_away RENAME TO tasks")
    assert audit.changes(probe) == [], "renamed and back again, as some checks do"
    probe.connection.execute(trick.encode())
    with pytest.raises(CheckFailed, match="somebody has disabled, changed or dropped it"):
        audit.changes(probe)


def test_a_view_cannot_be_audited(probe: Probe) -> None:
    probe.connection.execute("ALTER TABLE tasks RENAME TO hidden; CREATE VIEW tasks AS SELECT * FROM hidden")
    with pytest.raises(CheckFailed, match="`tasks` to be a table"):
        audit.install(probe)
