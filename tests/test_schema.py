"""Schemas read from the catalogue: what differs is seen, what does not matter is not."""

from collections.abc import Iterator

import pytest

from labkit import postgres, schema
from labkit.probe import Probe


@pytest.fixture
def probe() -> Iterator[Probe]:
    """The admin's eyes in an empty database."""
    with postgres.open_server().database("schema") as database:
        probe = Probe.of(database)
        yield probe
        probe.close()


TABLE = "CREATE TABLE tasks (id int PRIMARY KEY, title text NOT NULL CHECK (title <> ''), priority int)"


def test_an_empty_database_has_an_empty_schema(probe: Probe) -> None:
    assert schema.read(probe) == {}


def test_the_order_of_columns_does_not_count(probe: Probe) -> None:
    probe.execute(TABLE)
    before = schema.read(probe)
    probe.execute("ALTER TABLE tasks DROP COLUMN title, DROP COLUMN priority")
    probe.execute(
        "ALTER TABLE tasks ADD COLUMN priority int, ADD COLUMN title text NOT NULL CHECK (title <> '')"
    )
    assert schema.differences(before, schema.read(probe)) == []


@pytest.mark.parametrize(
    ("statement", "seen"),
    [
        ("ALTER TABLE tasks ALTER COLUMN priority SET NOT NULL", "column tasks.priority should be 'integer'"),
        ("ALTER TABLE tasks ALTER COLUMN priority SET DEFAULT 0", "is 'integer DEFAULT 0'"),
        ("CREATE INDEX by_title ON tasks (title)", "index tasks.by_title should not be there"),
        (
            "ALTER TABLE tasks DROP CONSTRAINT tasks_title_check",
            "constraint tasks.tasks_title_check is missing",
        ),
        ("CREATE TYPE mood AS ENUM ('good')", "type mood should not be there"),
        ("CREATE SEQUENCE numbers", "sequence numbers should not be there"),
        ("CREATE VIEW shown AS SELECT title FROM tasks", "view shown should not be there"),
        (
            "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function one() should not be there",
        ),
        ("CREATE SCHEMA elsewhere", "schema elsewhere should not be there"),
        (
            "CREATE SCHEMA e; CREATE TABLE e.tasks (id serial)",
            "sequence e.tasks.tasks_id_seq should not be there",
        ),
        (
            "ALTER TABLE tasks ADD n int GENERATED ALWAYS AS (id + 1) STORED",
            "column tasks.n should not be there",
        ),
        ("CREATE DOMAIN rank AS int", "type rank should not be there"),
    ],
)
def test_every_kind_of_change_is_seen(probe: Probe, statement: str, seen: str) -> None:
    probe.execute(TABLE)
    before = schema.read(probe)
    probe.connection.execute(statement.encode())
    assert any(seen in line for line in schema.differences(before, schema.read(probe)))


def test_bookkeeping_can_be_left_out(probe: Probe) -> None:
    probe.execute(TABLE)
    before = schema.read(probe)
    probe.execute("CREATE TABLE revisions (number serial PRIMARY KEY)")
    after = schema.read(probe)
    assert schema.tables(after) == {"tasks", "revisions"}
    assert schema.without(after, {"revisions"}) == before


def test_bookkeeping_can_lie_in_a_schema_of_its_own(probe: Probe) -> None:
    probe.execute(TABLE)
    before = schema.read(probe)
    probe.execute('CREATE SCHEMA "Records"')
    probe.execute('CREATE TABLE "Records"."Revisions" (number serial PRIMARY KEY)')
    probe.execute('CREATE TABLE "Records".owner (name text)')
    after = schema.read(probe)
    assert schema.tables(after) == {"tasks", "Records.Revisions", "Records.owner"}
    assert schema.without(after, {"Records.Revisions"}) == before
    assert schema.places(probe)["Records.Revisions"].as_string() == '"Records"."Revisions"'


def test_a_type_does_not_belong_to_a_table_because_of_its_name(probe: Probe) -> None:
    probe.execute("CREATE TABLE revision (number int)")
    probe.execute("CREATE TYPE revision_state AS ENUM ('good')")
    probe.execute("CREATE FUNCTION revision() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    left = schema.without(schema.read(probe), {"revision"})
    assert sorted(left) == ["function revision()", "type revision_state"]
