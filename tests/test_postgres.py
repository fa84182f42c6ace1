"""Databases of the checks: their roles, clones, and what is left of runs that died."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from labkit.errors import LabError
from labkit.postgres import Server, open_server, stop_shared


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A shared server in a state folder of its own, for all tests of this file."""
    fast = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="lab-test-", dir=fast if fast.is_mount() else "/var/tmp"))
    folder.chmod(0o711)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_STATE_DIR", str(folder))
        patch.delenv("LAB_POSTGRES_URL", raising=False)
        yield open_server("embedded")
        stop_shared()
    shutil.rmtree(folder)


def query(url: str, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []


def eventually(condition: Callable[[], bool], within_s: float = 20) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def run(code: str, **environment: str) -> subprocess.Popen[str]:
    """Another process of the same user: prints what it has to say, then waits until its stdin is closed."""
    imports = "import os, sys\nfrom labkit.postgres import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", f"{imports}{code}\nprint('ready', flush=True)\nsys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def exists(server: Server, database: str) -> bool:
    return bool(query(server.admin_url, "SELECT 1 FROM pg_database WHERE datname = %s", database))


def role_exists(server: Server, role: str) -> bool:
    return bool(query(server.admin_url, "SELECT 1 FROM pg_roles WHERE rolname = %s", role))


def test_version_and_kind(server: Server) -> None:
    assert (server.kind, server.version) == ("embedded", 18)
    assert query(server.admin_url, "SHOW server_encoding") == [("UTF8",)]


def test_secrets_do_not_show_when_printed(server: Server) -> None:
    with server.database() as database:
        for url in (server.admin_url, database.url):
            password = psycopg.conninfo.conninfo_to_dict(url)["password"]
            assert str(password) not in f"{server!r} {database!r}"


def test_the_role_works_in_its_database(server: Server) -> None:
    with server.database() as database:
        query(database.url, "CREATE SCHEMA extra")
        query(database.url, "CREATE TABLE tasks (id int PRIMARY KEY)")
        query(database.url, "INSERT INTO tasks VALUES (1)")
        assert query(database.admin_url, "SELECT id FROM tasks") == [(1,)]
        assert query(database.admin_url, "SELECT CURRENT_USER") != query(database.url, "SELECT CURRENT_USER")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE DATABASE another",
        "CREATE ROLE another",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "SELECT * FROM pg_authid",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "ALTER SYSTEM SET work_mem = '1MB'",
    ],
)
def test_the_role_may_do_nothing_else(server: Server, statement: str) -> None:
    with server.database() as database, pytest.raises(errors.InsufficientPrivilege):
        query(database.url, statement)


def test_the_role_reaches_no_other_database(server: Server) -> None:
    with server.database() as mine, server.database() as yours:
        for other in (yours.name, "postgres", "template1"):
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                query(f"{mine.url.rpartition('/')[0]}/{other}", "SELECT 1")
        with pytest.raises(errors.InsufficientPrivilege):
            query(mine.url, f"DROP DATABASE {yours.name}")


def test_a_wrong_password_is_refused(server: Server) -> None:
    with server.database() as database:
        right = str(psycopg.conninfo.conninfo_to_dict(database.url)["password"])
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            query(database.url.replace(right, "wrong"), "SELECT 1")


def test_the_unix_socket_needs_no_port(server: Server) -> None:
    with server.database() as database:
        assert database.socket_url is not None
        assert query(database.socket_url, "SELECT inet_client_addr(), current_database()") == [
            (None, database.name)
        ]


def test_a_dropped_database_is_gone_with_its_clients_and_its_role(server: Server) -> None:
    database = server.create_database()
    with psycopg.connect(database.url):
        server.drop_database(database)
    assert not exists(server, database.name)
    assert not role_exists(server, database.role)
    server.drop_database(database)  # twice does no harm


def test_a_label_shows_in_the_name_whatever_it_holds(server: Server) -> None:
    with server.database(label='Töpfe "& Co; a label that is far too long for a name') as database:
        assert "t_pfe" in database.name
        assert len(database.name) <= 63


class TestClones:
    @pytest.fixture
    def template(self, server: Server) -> Iterator[str]:
        with server.database("template") as database:
            query(database.url, "CREATE TABLE tasks (id serial PRIMARY KEY, title text)")
            query(database.url, "INSERT INTO tasks (title) VALUES ('first')")
            yield database.name

    def test_has_what_the_template_has(self, server: Server, template: str) -> None:
        with server.database(template=template) as clone:
            assert query(clone.url, "SELECT id, title FROM tasks") == [(1, "first")]

    def test_belongs_to_its_role_with_all_inside(self, server: Server, template: str) -> None:
        with server.database(template=template) as clone:
            query(clone.url, "ALTER TABLE tasks ADD priority int")
            query(clone.url, "INSERT INTO tasks (title) VALUES ('second')")
            query(clone.url, "DROP TABLE tasks")
            query(clone.url, "CREATE TABLE tasks (id int)")

    def test_is_independent(self, server: Server, template: str) -> None:
        with server.database(template=template) as one, server.database(template=template) as other:
            query(one.url, "DELETE FROM tasks")
            assert query(other.url, "SELECT count(*) FROM tasks") == [(1,)]

    def test_of_a_clone(self, server: Server, template: str) -> None:
        with server.database(template=template) as clone:
            query(clone.url, "INSERT INTO tasks (title) VALUES ('second')")
            with server.database(template=clone.name) as second:
                query(second.url, "DELETE FROM tasks WHERE title = 'first'")
                assert query(second.url, "SELECT title FROM tasks") == [("second",)]

    def test_outlives_its_template(self, server: Server) -> None:
        template = server.create_database("template")
        clone = server.create_database(template=template.name)
        server.drop_database(template)
        query(clone.url, "CREATE TABLE t (id int)")
        server.drop_database(clone)
        assert not role_exists(server, template.role)

    def test_is_made_even_while_the_template_is_in_use(self, server: Server) -> None:
        with server.database("template") as template, psycopg.connect(template.url) as user:
            with server.database(template=template.name) as clone:
                assert query(clone.url, "SELECT 1") == [(1,)]
            with pytest.raises(psycopg.OperationalError):
                user.execute("SELECT 1")

    def test_seals_the_template_against_its_role(self, server: Server) -> None:
        with server.database("template") as template, server.database(template=template.name) as clone:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                query(template.url, "SELECT 1")
            with pytest.raises(errors.InsufficientPrivilege):
                query(clone.url, f"DROP DATABASE {template.name}")

    def test_may_be_foreseen(self, server: Server) -> None:
        with server.database("template") as template, psycopg.connect(template.url) as user:
            server.seal(template)
            server.seal(template)
            with pytest.raises(errors.AdminShutdown):
                user.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                query(template.url, "SELECT 1")
            with server.database(template=template.name) as clone:
                assert clone.role == template.role
                assert query(clone.url, "SELECT 1") == [(1,)]

    def test_never_belongs_to_whom_a_comment_names(self, server: Server) -> None:
        with server.database("template") as template:
            query(template.url, f"COMMENT ON DATABASE {template.name} IS 'template of postgres'")
            with server.database(template=template.name) as clone:
                assert clone.role == template.role

    def test_of_what_is_not_there_or_not_ours(self, server: Server) -> None:
        with pytest.raises(LabError, match="does not exist"):
            server.create_database(template="lab_nothing")
        with pytest.raises(LabError, match="cannot be cloned"):
            server.create_database(template="postgres")


def test_databases_of_a_dead_run_are_swept_and_those_of_a_live_one_stay(server: Server) -> None:
    create = "d = open_server('embedded').create_database()\nopen_server().create_database(template=d.name)\n"
    dead, alive = run(f"{create}print(d.name)"), run(f"{create}print(d.name)")
    with dead, alive:
        assert dead.stdout is not None
        assert alive.stdout is not None
        dead_name, alive_name = dead.stdout.readline().strip(), alive.stdout.readline().strip()
        assert dead.stdout.readline() == alive.stdout.readline() == "ready\n"
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        assert exists(server, dead_name)
        mine = server.create_database()
        open_server("embedded")
        assert exists(server, alive_name)
        assert exists(server, mine.name)
        assert not exists(server, dead_name)
        assert not role_exists(server, dead_name)
        alive.kill()
    of_dead_run = dead_name.split("_tpl")[0].rsplit("_", 2)[0]
    names = query(server.admin_url, "SELECT datname FROM pg_database")
    assert not [name for (name,) in names if name.startswith(of_dead_run)]


class TestGivenByUrl:
    def test_works_like_any_other(self, server: Server) -> None:
        given = open_server(server.admin_url)
        assert (given.kind, given.version) == ("url", 18)
        with given.database("template") as template, given.database(template=template.name) as clone:
            query(clone.url, "CREATE TABLE t (id int)")

    def test_comes_from_the_environment(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LAB_POSTGRES_URL", server.admin_url)
        assert open_server("auto").kind == open_server("url").kind == "url"

    @pytest.fixture
    def creator(self, server: Server) -> Iterator[str]:
        """The URL of a role that is no superuser but may create databases and roles."""
        query(server.admin_url, "CREATE ROLE creator LOGIN CREATEDB CREATEROLE PASSWORD 'p@ss/word'")
        query(server.admin_url, "GRANT CONNECT ON DATABASE postgres TO creator")
        where = server.admin_url.rpartition("@")[2]
        yield f"postgresql://creator:p%40ss%2Fword@{where}"
        query(server.admin_url, "DROP OWNED BY creator")
        query(server.admin_url, "DROP ROLE creator")

    def test_needs_no_superuser(self, creator: str) -> None:
        given = open_server(creator)
        with given.database("template") as template:
            query(template.url, "CREATE TABLE t (id int)")
            with given.database(template=template.name) as clone:
                query(clone.url, "ALTER TABLE t ADD x int")
                query(clone.admin_url, "DROP TABLE t")

    def test_close_drops_what_the_run_left(self, server: Server, creator: str) -> None:
        given = open_server(creator)
        left = given.create_database()
        given.close()
        assert not exists(server, left.name)
        assert not role_exists(server, left.role)

    def test_dead_runs_are_swept_there_too(self, server: Server, creator: str) -> None:
        with run("s = open_server('url'); print(s.create_database().name)", LAB_POSTGRES_URL=creator) as dead:
            assert dead.stdout is not None
            name = dead.stdout.readline().strip()
            dead.kill()
        open_server("embedded")
        assert exists(server, name), "it is known to be on another server"
        open_server(creator)
        assert not exists(server, name)

    def test_without_the_rights_it_is_refused(self, server: Server) -> None:
        query(server.admin_url, "CREATE ROLE plain LOGIN PASSWORD 'p' CREATEDB")
        query(server.admin_url, "GRANT CONNECT ON DATABASE postgres TO plain")
        try:
            with pytest.raises(LabError, match="may not create databases and roles") as caught:
                open_server(f"postgresql://plain:p@{server.admin_url.rpartition('@')[2]}")
            assert "CREATEROLE" in caught.value.remedy
        finally:
            query(server.admin_url, "DROP OWNED BY plain")
            query(server.admin_url, "DROP ROLE plain")

    def test_a_wrong_password_is_named(self, server: Server) -> None:
        where = server.admin_url.rpartition("@")[2]
        with pytest.raises(LabError, match="refuses the user or the password"):
            open_server(f"postgresql://postgres:wrong@{where}")

    def test_by_socket_and_with_options(self, server: Server) -> None:
        password = psycopg.conninfo.conninfo_to_dict(server.admin_url)["password"]
        given = open_server(
            f"postgresql:///postgres?user=postgres&password={password}&host={server.sockets}&sslmode=disable"
        )
        with given.database() as database:
            assert query(database.url, "SELECT CURRENT_USER, inet_client_addr()") == [(database.role, None)]
            assert query(database.admin_url, "SELECT CURRENT_USER") == [("postgres",)]
            assert "sslmode=disable" in database.url
