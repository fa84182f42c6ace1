"""The API at its start: it says what is wrong, at once and in one line, or it serves."""

import re
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

from labkit import services
from labkit.checks import check
from labkit.deadlines import fixed, stated
from labkit.evidence import CheckFailed, did, expect, expect_unsaid, shorten
from labkit.http import Client
from labkit.ports import free_port

HANDOUT = "lab-02-database.md#failing-fast"
SECRET = "s3cr3t-in-the-url"
TRACEBACK = re.compile(  # Python's; JavaScript's, Java's or .NET's; Go's
    r"Traceback \(most recent call last\)"
    r"|^\s+at .*(:\d+:\d+|\.(java|kt|scala|cs|fs):(line )?\d+)\)?$"
    r"|^goroutine \d+ \[",
    re.MULTILINE,
)


@check(points=0.4, read=HANDOUT)
def test_unreachable_database(the_project, stack):
    """If the database cannot be reached at the start, the API ends within ten seconds, with a clear line.

    One waits in silence, one prints a screenful, one ends with a reason. Which helps whoever is woken up?
    """
    url = f"postgresql://flowforge:{SECRET}@127.0.0.1:{free_port()}/flowforge"
    _ends_clearly(the_project, {"DATABASE_URL": url}, within=fixed(10))


@check(points=0.3, read=HANDOUT)
def test_wrong_password(the_project, stack):
    """With a wrong password the API ends within ten seconds, says why, and does not print the password.

    Will waiting make this password right? And who reads what you print, today and next year?
    """
    parts = urlsplit(stack.database.url)
    netloc = f"{parts.username}:{SECRET}@{parts.hostname}:{parts.port}"
    _ends_clearly(the_project, {"DATABASE_URL": urlunsplit(parts._replace(netloc=netloc))}, within=fixed(10))


@check(points=0.3, read=HANDOUT)
def test_missing_database_url(the_project, stack):
    """Without DATABASE_URL the API ends within five seconds and names the variable.

    Is there a default that would be right, or only one that would be wrong silently?
    """
    for settings in ({}, {"DATABASE_URL": ""}):
        said = _ends_clearly(the_project, settings, within=fixed(5))
        expect("DATABASE_URL" in said, "a line that names DATABASE_URL", shorten(said))


@check(points=0.3, read=HANDOUT)
def test_creates_no_schema(server, the_project, stack):
    """Started on an empty database, the API creates no table: that is the migrations' work alone.

    Two copies of your service start at the same moment, in two versions. Whose schema wins?
    """
    from labkit.probe import Probe

    with server.database("empty") as database:
        did("start `api` on a database without any table")
        settings = {"DATABASE_URL": database.url, "API_HOST": "127.0.0.1", "API_PORT": str(free_port())}
        with services.running(the_project, "api", settings) as service:
            port = int(settings["API_PORT"])
            services.wait_until_listening_or_gone(service, port)
            if service.exit_code is None:
                with Client(service.url, None) as api, suppress(CheckFailed):
                    api.post("/tasks", json={"title": "is there a table?"})
        probe = Probe.of(database)
        try:
            tables = probe.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        finally:
            probe.close()
    expect(not tables, "no tables", ", ".join(row["tablename"] for row in tables))


def _ends_clearly(the_project, settings, within):
    """The API ends with a status other than 0, one clear line, no traceback and no secret; what it
    printed."""
    shown = re.sub(SECRET, "…", settings.get("DATABASE_URL", "")) or "set to nothing"
    did(f"start `api` with DATABASE_URL {shown if 'DATABASE_URL' in settings else 'not set'}")
    settings = {"API_HOST": "127.0.0.1", "API_PORT": str(free_port()), **settings}
    with services.running(the_project, "api", settings) as service:
        code = service.wait(within)
        said = "\n".join(line.text for line in service.lines)
    expect(
        code not in (None, 0),
        f"the process to end {stated(within)}, with a status other than 0",
        "it still runs" if code is None else "status 0",
    )
    expect(bool(said.strip()), "a line that says what is wrong", "nothing")
    expect(not TRACEBACK.search(said), "a clear line and no traceback", shorten(said[-300:]))
    expect_unsaid([SECRET], said, "no password in the output")
    return said
