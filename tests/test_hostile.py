"""Hostile specimens: that they gain nothing is proved, and so is that this would be noticed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from labkit import guard, postgres, project, report, services
from labkit.evidence import CheckFailed
from labkit.postgres import Server
from labkit.postgres.connection import admin
from labkit.probe import Probe
from labkit.proof import hostile, prove, specimens
from labkit.proof.grading import Graded
from labkit.proof.hostile import Before

ROOT = Path(__file__).parent.parent
Soon = Callable[[Callable[[], object], str], None]
MakeProject = Callable[..., Path]

CHECKS = '''
    from labkit import project, services

    @pytest.fixture
    def said(pytestconfig):
        ended = services.run(project.load(Path(pytestconfig.option.project)), "api", {}, within=20)
        return ended.log()

    @check(points=2, read=HANDOUT)
    def test_greets(said):
        """It greets.

        How?
        """
        expect(said[:1] == ["hello"], "hello", said)
        if "crash" in said:
            {}["the grader's own mistake"]
        if "litter" in said:
            Path(os.environ["TMPDIR"], "litter").touch()
        if "print" in said:
            pytest.exit("\\x1b[32mall passed")

    @check(points=1, read=HANDOUT)
    def test_says_goodbye(said):
        """It says goodbye.

        When?
        """
        expect(said[-1:] == ["goodbye"], "goodbye", said)
'''

DAEMON = """
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            {close}
            time.sleep(300)
        os._exit(0)
    print("todo")
"""
DEAF = "os.closerange(0, 256)"


@pytest.fixture
def repository(proving: Callable[[str], Path]) -> Path:
    """A repository with two checks, a reference that passes both, and a starter that passes none."""
    root = proving(CHECKS)
    for folder, words in (("project", "hello\ngoodbye"), ("starter", "todo")):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "Procfile").write_text("api: python -S main.py\n")
        (root / folder / "main.py").write_text(f"print({words!r})\n")
    (root / "specimens" / "accepted").mkdir(parents=True)
    return root


def add(root: Path, name: str, main: str, base: str = "starter", more: str = "") -> Path:
    folder = root / "specimens" / "hostile" / name
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(textwrap.dedent(main))
    (folder / "specimen.toml").write_text(f'story = "It tries."\nlabs = ["lab01"]\nbase = "{base}"\n{more}')
    return folder


@pytest.fixture
def proved(repository: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str]]:
    """The status and the output of `lab prove hostile/NAME`."""

    def run(name: str) -> tuple[int, str]:
        status = prove.run(repository, [f"hostile/{name}"], processes=1)
        return status, capsys.readouterr().out

    return run


Proved = Callable[[str], tuple[int, str]]


def test_who_gains_nothing_and_leaves_nothing_is_as_expected(proved: Proved, repository: Path) -> None:
    add(repository, "noise", "print('\\x1b[2J\\u202ehello\\x07\\x00\\r')")
    add(repository, "daemon", DAEMON.format(close=DEAF))
    add(repository, "loud_daemon", DAEMON.format(close=""))
    add(repository, "litter", "import tempfile\ntempfile.mkdtemp()\ntempfile.mkstemp()\nprint('todo')")
    status, out = proved("*")
    assert status == 0, out
    assert "4 specimens, 0 problems." in out


def test_what_it_gains_is_named(proved: Proved, repository: Path) -> None:
    add(repository, "cheat", "print('hello')")
    status, out = proved("cheat")
    assert status == 1
    assert (
        "specimens/hostile/cheat: lab01.a.greets passes, as it does not on the plain starter. Sharpen the "
        "check: nothing has been built that would earn it." in out
    )
    assert "says_goodbye" not in out


def test_on_the_reference_it_fails_what_it_declares(proved: Proved, repository: Path) -> None:
    add(repository, "rude", "print('hello')", "reference", 'fails = ["lab01.a.says_goodbye"]')
    assert proved("rude")[0] == 0
    add(repository, "ruder", "print('hello')", "reference")
    status, out = proved("ruder")
    assert status == 1
    assert "specimens/hostile/ruder: lab01.a.says_goodbye failed as well (saw ['hello'])." in out


def test_some_checks_only(proved: Proved, repository: Path) -> None:
    add(repository, "cheat", "print('hello')", more='only = "goodbye"')
    assert proved("cheat")[0] == 0


def test_an_error_of_the_grader_is_a_problem(proved: Proved, repository: Path) -> None:
    add(repository, "crash", "print('hello')\nprint('crash')")
    status, out = proved("crash")
    assert status == 1
    assert "lab01.a.greets: the grader itself failed" in out


def test_a_file_that_stays_is_a_problem(proved: Proved, repository: Path) -> None:
    add(repository, "litter", "print('hello')\nprint('litter')\nprint('goodbye')", "reference")
    status, out = proved("litter")
    assert status == 1
    assert "Files are left in the temporary folder: tmp/litter. Who should have removed them?" in out


def test_what_needs_a_sandbox_is_listed_and_not_run(proved: Proved, repository: Path) -> None:
    folder = add(repository, "bomb", f"from pathlib import Path\nPath({str(repository)!r}, 'ran').touch()")
    with (folder / "specimen.toml").open("a") as file:
        file.write('needs = "sandbox"\n')
    status, out = proved("bomb")
    assert status == 0
    assert " ".join(out.split()).startswith("- hostile/bomb not run: only a sandbox can stop it ")
    assert out.endswith("\n0 specimens, 0 problems.\n")
    assert not (repository / "ran").exists()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'base = "starter"',
            "",
            "specimens/hostile/odd/specimen.toml cannot be used ('base'). Give it three",
        ),
        ('base = "starter"', 'base = "mine"', "specimen.toml: there is no base 'mine'. Give it three lines"),
        ("story", "fails = []\nstory", "specimen.toml: what it fails is known, all that the starter fails."),
    ],
    ids=["no base", "unknown base", "declares what the starter fails"],
)
def test_a_description_that_is_broken(
    proved: Proved, repository: Path, old: str, new: str, sentence: str
) -> None:
    table = add(repository, "odd", "") / "specimen.toml"
    table.write_text(table.read_text().replace(old, new))
    status, out = proved("*")
    assert status == 1
    assert sentence in " ".join(out.split())


def test_the_page_tells_what_has_been_tried(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "docs").mkdir(exist_ok=True)
    add(repository, "harmless", "print('hello')", more='only = "goodbye"')
    add(repository, "bomb", "", more='needs = "sandbox"')
    assert prove.run(repository, ["hostile/*"], processes=1, note=True) == 0
    text = (repository / "docs" / "proof.md").read_text()
    assert "1 projects want more than they have earned" in text
    assert "- **harmless**: It tries." in text
    assert "Only a sandbox can stop the other 1; they are not run:\n\n- **bomb**: It tries." in text
    assert "**Wrong work that passed: 0 of 0.**" in text


# -- what is left ------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Server]:
    server = postgres.open_server()
    yield server
    server.close()


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(hostile, "_GONE_S", 0.0)
    (tmp_path / "scratch" / "tmp").mkdir(parents=True)
    return tmp_path / "scratch"


@pytest.mark.parametrize("how", ["works there", "knows its path", "was told of it"])
def test_a_process_that_is_left_is_found_and_killed(
    scratch: Path, server: Server, how: str, soon: Soon
) -> None:
    command = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    left = subprocess.Popen(
        [*command, str(scratch / "x")] if how == "knows its path" else command,
        cwd=scratch if how == "works there" else "/",
        env={"TMPDIR": f"{scratch}/tmp"} if how == "was told of it" else {},
        start_new_session=True,
    )
    try:
        soon(lambda: len(psutil.Process(left.pid).cmdline()) > 2, "the process under its name")
        [problem] = hostile.left(scratch, 1, Before(frozenset(), server))
        assert problem.startswith("A process is left: ")
        assert "import time; time.sleep(600)" in problem
        assert left.wait(30) < 0
    finally:
        left.kill()
        left.wait()


def test_a_database_and_a_role_that_are_left_are_found(scratch: Path, server: Server) -> None:
    with server.database("left") as database:
        names = {f"the database {database.name} is left.", f"the role {database.role} is left."}
        problems = hostile.left(scratch, os.getpid(), Before(frozenset(), server))
        assert names <= {problem.partition(" Who")[0] for problem in problems}
    assert not hostile.left(scratch, 1, Before(frozenset(), server))


def test_a_role_that_a_project_has_made_is_found(scratch: Path, server: Server) -> None:
    before = Before(frozenset(), server, hostile._strangers(server))
    assert not hostile.left(scratch, 1, before)
    with admin(server.admin_url, "make a role") as connection:
        connection.execute("CREATE ROLE risen_in_a_test")
        try:
            problems = hostile.left(scratch, 1, before)
        finally:
            connection.execute("DROP ROLE risen_in_a_test")
    assert [problem.partition(". ")[0] for problem in problems] == [
        "the role risen_in_a_test has been made by somebody"
    ]


def test_one_may_stand_on_another(proved: Proved, repository: Path) -> None:
    add(repository, "first", "import second\nprint(second.WORD)")
    (repository / "specimens" / "hostile" / "first" / "second.py").write_text("WORD = 'todo'\n")
    upon = add(repository, "upon", "", more='on = "hostile/first"\n')
    (upon / "main.py").unlink()
    (upon / "second.py").write_text("WORD = 'hello'\n")
    status, out = proved("upon")
    assert status == 1
    assert "specimens/hostile/upon: lab01.a.greets passes" in out
    add(repository, "nowhere", "", more='on = "hostile/nobody"\n')
    status, out = proved("nowhere")
    assert "specimens/hostile/nowhere/specimen.toml: there is no specimen 'hostile/nobody'." in out


def test_what_a_terminal_would_obey_is_found(tmp_path: Path, a_verdict: Any, a_report: Any) -> None:
    file = tmp_path / "report.json"

    def found(saw: str, output: str) -> list[str]:
        outcome = a_report(a_verdict(outcome="failed", saw=saw))
        report.save(outcome, file)
        return hostile._raw(Graded(outcome, [], 1, output), file)

    assert found("two\nlines, 漢字", "✓ two\nlines\n") == []
    [problem] = found("x\x1b[2Jy", "")
    assert problem.startswith("There are raw control characters in the report, labs.checks.saw: x\\x1b[2Jy.")
    [problem] = found("", "fine\nx\u202ey\n")
    assert problem.startswith("There are raw control characters in the terminal output: x\\u202ey.")


# -- what a project's role may do to its database ----------------------------------------------------------


def test_a_database_that_its_owner_has_closed_is_dropped_all_the_same(server: Server) -> None:
    with server.database("template") as template:
        open_one = server.create_database("open", template=template.name)
        closed = server.create_database("closed", template=template.name)
        with psycopg.connect(open_one.url, autocommit=True) as connection:
            for option in ("IS_TEMPLATE true", "ALLOW_CONNECTIONS false", "CONNECTION LIMIT 0"):
                statement = SQL("ALTER DATABASE {} ").format(Identifier(closed.name)) + SQL(option)
                connection.execute(statement)
        with pytest.raises(CheckFailed) as caught:
            Probe.of(closed)
        assert caught.value.saw == "its owner lets nobody in any more"
        for database in (open_one, closed):
            server.drop_database(database)
    with admin(server.admin_url, "look for it") as connection:
        query = "SELECT FROM pg_database WHERE datname = %s"
        assert connection.execute(query, [closed.name]).fetchone() is None


def test_what_a_session_begins_with_is_not_for_the_owner_to_say(server: Server) -> None:
    with server.database("settings") as database:
        with psycopg.connect(database.url, autocommit=True) as connection:
            for setting in ("statement_timeout = 1", "default_transaction_read_only = on"):
                name = Identifier(database.name)
                connection.execute(SQL("ALTER DATABASE {} SET ").format(name) + SQL(setting))
        probe = Probe.of(database)
        try:
            assert probe.value("SHOW statement_timeout") == "0"
            assert probe.value("SHOW default_transaction_read_only") == "off"
        finally:
            probe.close()


def test_connections_are_counted_whatever_they_call_themselves(server: Server) -> None:
    with server.database("names") as database, psycopg.connect(database.url, application_name="labkit-probe"):
        probe = Probe.of(database)
        try:
            assert probe.connections() == 1
        finally:
            probe.close()


def test_no_role_can_have_all_connections_of_the_server(server: Server) -> None:
    with server.database("many") as database, psycopg.connect(database.url) as connection:
        query = "SELECT rolconnlimit FROM pg_roles WHERE rolname = CURRENT_USER"
        row = connection.execute(query).fetchone()
        assert row is not None
        assert 0 < row[0] < 200


# -- the guard ---------------------------------------------------------------------------------------------

OWNER = """
import sys, time
from pathlib import Path
from labkit import guard, project, services
service = services.start(project.load(Path(sys.argv[1])), "api", {})
service.wait(20)
print(guard._run(), guard._folder, flush=True)
time.sleep(600)
"""


def test_the_end_of_a_run_finds_a_daemon_and_the_temporary_files(
    a_project: MakeProject, monkeypatch: pytest.MonkeyPatch, soon: Soon
) -> None:
    monkeypatch.setattr(guard, "_run", lambda: "a-run-of-this-test-")
    main = f"import tempfile\ntempfile.mkdtemp()\n{textwrap.dedent(DAEMON.format(close=DEAF))}"
    with services.running(project.load(a_project("api: python -S main.py", main=main)), "api", {}) as service:
        assert service.wait(20) == 0
    soon(lambda: len(guard.marked("a-run-of-this-test-")) == 1, "the daemon alone")
    folder = Path(guard._temporary())
    assert len(list(folder.iterdir())) >= 1
    guard.sweep()
    assert not guard.marked("a-run-of-this-test-")
    assert not folder.exists()


def test_a_daemon_that_holds_the_log_ends_with_its_service(a_project: MakeProject) -> None:
    folder = a_project("api: python -S main.py", main=DAEMON.format(close=""))
    ended = services.run(project.load(folder), "api", {}, within=20)
    assert ended.log() == ["todo"]
    assert not guard.marked(ended.mark)
    assert not any(thread.is_alive() for thread in ended._readers)


def test_a_daemon_does_not_outlive_a_run_that_is_killed(a_project: MakeProject, soon: Soon) -> None:
    folder = a_project("api: python -S main.py", main=DAEMON.format(close=DEAF))
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    run, _, temporary = owner.stdout.readline().strip().partition(" ")
    assert len(guard.marked(run)) == 1, "the daemon"
    assert Path(temporary).is_dir()
    owner.kill()
    owner.communicate()
    soon(lambda: not guard.marked(run) and not Path(temporary).exists(), "daemon and files gone")


def test_the_specimens_of_this_repository_tell_what_they_try() -> None:
    known, broken = specimens.load(ROOT)
    assert broken == []
    found = [specimen for specimen in known if specimen.hostile]
    assert len(found) >= 25
    for specimen in found:
        assert specimen.story.endswith("."), specimen.name
        assert len(specimen.story) > 30, specimen.name
        assert specimen.hostile
        assert specimen.hostile.needs in ("", "sandbox"), specimen.name


def test_a_projects_settings_are_never_those_of_the_checks(run: Any, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -k starts\n")
    ended = run("pytest", "--project", str(tmp_path), "checks/lab01", "--collect-only")
    assert ended.status == 4
    assert ended.says("Name them first: pytest checks/lab01 --project DIR")
