"""The probe: locks that are held and given back, connections that are counted and cut."""

import os
import socket
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
        assert probe.held_up() == 1


def test_who_waits_for_others_is_not_held_up_by_us(probe: Probe) -> None:
    first, second = (psycopg.connect(probe.database.url, autocommit=True) for _ in range(2))
    with closing(first), closing(second), first.transaction():
        first.execute("LOCK TABLE tasks")
        second.pgconn.send_query(b"SELECT 1 FROM tasks")
        assert probe.wait_for_waiting(1)
        assert probe.held_up() == 0


def test_connections_are_counted_and_cut(probe: Probe) -> None:
    assert probe.connections() == 0
    with psycopg.connect(probe.database.url, autocommit=True) as other:
        assert probe.connections() == 1
        [port] = probe.client_ports()
        with socket.socket(fileno=os.dup(other.fileno())) as same:
            assert same.getsockname()[1] == port
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


# -- code of the project's own in its database --------------------------------------------------------------


def test_what_the_table_runs_has_no_more_rights_than_the_project(probe: Probe) -> None:
    """Whoever touches a table runs its triggers with their own rights."""
    probe.execute("CREATE TABLE seen (who text)")
    body = "INSERT INTO seen VALUES (CURRENT_USER), (SESSION_USER); RETURN coalesce(NEW, OLD);"
    function = f"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
    probe.connection.execute(function.encode())
    probe.execute(
        "CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION note()"
    )
    task_id = probe.insert(title="one")
    probe.execute("UPDATE tasks SET title = 'two'")
    with probe.locked_row(task_id):
        pass
    probe.execute("DELETE FROM tasks")
    assert {row["who"] for row in probe.query("SELECT who FROM seen")} == {probe.database.role}
    assert probe.value("SELECT count(*) FROM seen") == 6


def test_the_admin_calls_nothing_that_a_project_has_put_in_the_place_of_postgresqls(probe: Probe) -> None:
    body = "SELECT CASE WHEN CURRENT_USER = SESSION_USER THEN 'nowhere'::name END"
    probe.connection.execute(
        f"CREATE FUNCTION public.current_database() RETURNS name LANGUAGE sql AS $$ {body} $$".encode()
    )
    name = probe.database.name
    probe.connection.execute(f"ALTER DATABASE {name} SET search_path = public, pg_catalog".encode())
    with closing(Probe.of(probe.database)) as another, closing(psycopg.connect(probe.database.url)):
        assert another.value("SELECT current_database()") == "nowhere"
        assert another.connections() == 1
        assert another.count() == 0


def test_our_own_sessions_are_neither_counted_nor_cut(probe: Probe) -> None:
    with closing(Probe.of(probe.database)) as another:
        for one in (probe, another):
            one.count()
        backend = another.connection.info.backend_pid
        assert probe.connections() == 0
        assert probe.kill_connections() == 0
        assert another.value("SELECT pg_backend_pid()") == backend


def test_who_ends_our_sessions_fails_the_check(probe: Probe) -> None:
    task_id = probe.insert(title="one")
    end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with (
        pytest.raises(CheckFailed, match="sessions of the checks to be left alone"),
        probe.locked_row(task_id),
    ):
        with psycopg.connect(probe.database.url, autocommit=True) as other:
            other.execute(f"{end} AND usename = CURRENT_USER".encode())
    with pytest.raises(CheckFailed, match="sessions of the checks to be left alone"):
        probe.count()
    assert probe.count() == 1, "with a new session"


def test_a_schema_of_our_name_fails_the_check(probe: Probe) -> None:
    probe.make_our_schema()
    probe.make_our_schema()
    probe.admin.execute("DROP SCHEMA labkit")
    probe.execute("CREATE SCHEMA labkit")
    with pytest.raises(CheckFailed, match="no schema `labkit` in the project"):
        probe.make_our_schema()


def test_a_role_that_may_not_come_in_fails_the_check(probe: Probe) -> None:
    probe.admin.execute(f"ALTER ROLE {probe.database.role} NOLOGIN".encode())
    with closing(Probe.of(probe.database)) as another:
        assert another.connections() == 0
        with pytest.raises(CheckFailed) as failure:
            another.count()
    assert failure.value.expected == "one more session of the role in DATABASE_URL"
    assert failure.value.saw == f'role "{probe.database.role}" is not permitted to log in'


def test_a_sealed_database_is_named_to_who_wants_to_look_inside() -> None:
    with closing(postgres.open_server()) as server, server.database("sealed") as database:
        server.seal(database)
        with (
            closing(Probe.of(database)) as probe,
            pytest.raises(CheckFailed, match=f'permission denied for database "{database.name}"'),
        ):
            probe.count()


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
