"""Configuration: every mistake named at once, everything else honoured, and no secret shown."""

import io
import re
import signal
import subprocess
from urllib.parse import urlsplit, urlunsplit

import dotenv

from labkit import services
from labkit.checks import check
from labkit.deadlines import fixed
from labkit.episodes import mistakes
from labkit.episodes.elsewhere import API, REQUESTS, WORKER, crowded
from labkit.evidence import Journal, did, expect, expect_unsaid, fail, only, recording, shorten
from labkit.http import Client
from labkit.logs import entries, printed
from labkit.ports import free_port
from labkit.stage import BACK_S, TAKEN_S, lease

CONFIGURATION = "lab-04-operations.md#configuration"
EXAMPLE = "lab-04-operations.md#the-example-file"
SECRETS = "lab-04-operations.md#secrets"
SECRET = "s3cr3t-of-the-check"

OPTIONAL = (
    "DB_POOL_MAX",
    "SHUTDOWN_TIMEOUT",
    "WORKER_POLL_INTERVAL",
    "WORKER_LEASE",
    "WORKER_MAX_ATTEMPTS",
    "WORKER_CONCURRENCY",
    "WORKER_ID",
    "ENVIRONMENT",
    "LOG_LEVEL",
    "LOG_FORMAT",
)
VARIABLES = ("DATABASE_URL", "API_HOST", "API_PORT", *OPTIONAL)

CLIENTS = 24
"""Clients at once, more than the API may have connections by default."""

OUT_OF_RANGE = (
    ("api", {"API_PORT": "0", "DB_POOL_MAX": "0", "SHUTDOWN_TIMEOUT": "-1s"}),
    ("api", {"API_PORT": "65536", "DB_POOL_MAX": "-3", "SHUTDOWN_TIMEOUT": "5"}),
    (
        "worker",
        {
            "WORKER_POLL_INTERVAL": "0s",
            "WORKER_LEASE": "0ms",
            "WORKER_MAX_ATTEMPTS": "0",
            "WORKER_CONCURRENCY": "0",
            "SHUTDOWN_TIMEOUT": "1h",
        },
    ),
)


@check(points=0.6, read=CONFIGURATION)
def test_each_malformed_value_is_named(malformed):
    """A value that is missing or malformed is refused at the start, by the name of its variable.

    Who finds out that a value is nonsense: the process at its start, or a user on Sunday? And what do they
    get to read?
    """
    for sifting in malformed:
        sifting.expect_refused()


@check(points=0.6, read=CONFIGURATION)
def test_values_out_of_range_are_refused(stage):
    """A value of the right form, but beyond what its variable takes, is refused as well.

    Which numbers and which durations would your service take without a word, and what would it do with them?
    """
    good = {"DATABASE_URL": stage.database.url}
    for service, wrong in OUT_OF_RANGE:
        mistakes.sift(stage.project, service, good, wrong).expect_refused()


@check(points=0.7, read=CONFIGURATION)
def test_all_mistakes_at_once(malformed):
    """Each service names everything that is wrong with its configuration at its first start, not one by one.

    How often would you have to start your service to learn of three mistakes?
    """
    for sifting in malformed:
        first = sifting.starts[0]
        only(f"start `{sifting.service}` with {mistakes.shown(first.wrong)}")
        missed = sorted(first.wrong.keys() - first.named)
        expect(
            not missed,
            f"`{sifting.service}` to name all {len(first.wrong)} variables that are wrong",
            f"not named: {', '.join(missed)}\n{first.said.strip() or 'nothing was printed'}",
        )


@check(points=0.3, read=CONFIGURATION)
def test_empty_counts_as_unset(stage):
    """A variable that is set to nothing counts as one that is not set at all.

    A file says `WORKER_LEASE=` and nothing more. What does your code see: a missing value, or a wrong one?
    """
    empty = dict.fromkeys(OPTIONAL, "")
    did("start both services with every variable empty that has a default")
    task = stage.add(title="there before the worker")
    stage.worker(**empty)
    api = stage.api(**{**empty, "API_HOST": ""})
    answer = Client(f"http://127.0.0.1:{api.settings['API_PORT']}", None).get("/info").expect(200)
    _says_environment(answer, "development")
    stage.wait_for_end(task)
    worker = stage.row(task)["assigned_worker"]
    expect(bool(worker), "a name in assigned_worker, though WORKER_ID is empty", repr(worker))
    later = stage.add(title="comes later")
    stage.wait_for_end(later, within=fixed(5) + 5, what="a task that comes while it polls every 5 s")
    told = stage.watch(lambda: entries(printed(api)), 2)  # what it has printed may be on its way
    expect(bool(told), "JSON lines of the API, at level info: the defaults", "none")


@check(points=0.3, read=CONFIGURATION)
def test_defaults_are_those_of_the_contract(story):
    """With DATABASE_URL and a port alone both services start, a task goes through, and the defaults hold.

    Which values would somebody be surprised by who has read the contract and not your code?
    """
    _says_environment(story.answer("info"), "development")
    for lines, service in ((story.api, "api"), (story.worker, "worker")):
        levels = sorted({str(entry.get("level")) for entry in entries(lines)})
        expect(
            "info" in levels, f"{service} to log JSON lines, those at level info included", levels or "none"
        )
        debug = next((e.text for e in entries(lines) if e.get("level") == "debug"), "")
        expect(not debug, f"no debug lines of {service} by default", shorten(debug, 300))


@check(points=0.2, read=CONFIGURATION)
def test_api_has_limits_by_default(stage):
    """With no limits set the API opens at most 10 connections, and leaves 10 s after it has been told to.

    Whoever starts it tonight sets nothing. How much of the server will it take, and when does it go?
    """
    api = stage.api()
    with recording(Journal()) as journal, Client(api.url, None, patience_s=60) as client:
        with crowded(stage, api, client, CLIENTS) as connections:
            api.send(signal.SIGTERM)
            did("wait, with the table still locked")
            code = api.wait(within=fixed(10 + 5)) if connections <= 10 else None
    only("start `api` with nothing but a DATABASE_URL and an address")
    did(f"lock the table `tasks`, {CLIENTS} requests at once, count connections")
    expect(connections <= 10, "at most 10 connections of the API, the default", f"{connections} at a time")
    did("\n".join(action.text for action in journal.actions[-2:]))
    limit = "exit status 0 within ten seconds, the default, and five, with the table still locked"
    expect(code == 0, limit, _how(code))


@check(points=0.2, read=CONFIGURATION)
def test_three_attempts_by_default(stage):
    """With nothing said of attempts, a task that takes each worker along is failed after three claims.

    Which number would you have chosen? How would somebody learn of it who has chosen none?
    """
    task = stage.add("sleep", {"seconds": 60})
    for number in (1, 2, 3):
        worker = stage.worker(WORKER_LEASE=lease())
        stage.wait_for_claim(task, TAKEN_S if number == 1 else BACK_S + 6, number)
        stage.kill(worker)
    stage.worker(WORKER_LEASE=lease())
    stage.expect_in_time(
        lambda: not stage.unended([task]) or len(stage.claims(task)) > 3,
        BACK_S + 6,
        "the task to end",
        lambda: stage.told(task),
    )
    stage.expect_row(task, "the task that lost its worker three times", status="failed", attempts=3)


@check(points=0.4, read=CONFIGURATION)
def test_other_values_are_honoured(elsewhere):
    """Another host, port, database, pool, interval, concurrency and name are taken as they are given.

    Which of these values stand in your code a second time, where no variable reaches them?
    """
    given = " ".join(f"{name}={value}" for name, value in API.items())
    only(f"start `api` with API_HOST={elsewhere.host} {given}", "GET /info")
    _says_environment(elsewhere.info, "staging-7")
    only(f"start `api` with API_HOST={elsewhere.host} {given}", "connect to it at other addresses")
    expect(
        not elsewhere.also_at,
        f"the API to listen at API_HOST={elsewhere.host} alone",
        f"it listens at {elsewhere.also_at}, too",
    )
    only(
        f"start `api` with {given}",
        f"lock the table `tasks`, {REQUESTS} requests at once",
        "count connections",
    )
    expect(
        elsewhere.connections <= 2,
        "at most DB_POOL_MAX=2 connections of the API",
        f"{elsewhere.connections} at a time",
    )
    given = " ".join(f"{name}={value}" for name, value in WORKER.items())
    only(f"start a worker with {given}", "INSERT a task, and three more when it is idle: sleep 60 s")
    expect(
        elsewhere.first_worker == "worker-of-staging",
        "WORKER_ID=worker-of-staging in assigned_worker",
        repr(elsewhere.first_worker),
    )
    expect(
        elsewhere.at_once == 3,
        "WORKER_POLL_INTERVAL=50ms and WORKER_CONCURRENCY=3: three later tasks to run together, soon",
        f"{elsewhere.at_once} of them ran after three seconds",
    )


@check(points=0.6, read=SECRETS)
def test_no_secret_is_shown(stage):
    """Whatever is wrong with DATABASE_URL, its password appears nowhere in what the services print.

    The value is wrong, and you want to show it. Who will read it, and what does it hold?
    """
    parts = urlsplit(stage.database.url)
    closed = free_port()
    wrong_password = urlunsplit(
        parts._replace(netloc=f"{parts.username}:{SECRET}@{parts.hostname}:{parts.port}")
    )
    for service, url, more in (
        ("api", f"postgresql://flowforge:%zz{SECRET}@127.0.0.1/flowforge", {"LOG_LEVEL": "chatty"}),
        ("api", f"postgresql://flowforge:{SECRET}@127.0.0.1:{closed}/flowforge", {}),
        ("worker", f"postgres//a:{SECRET}@127.0.0.1/a", {"WORKER_LEASE": "long"}),
        ("worker", wrong_password, {}),
    ):
        start = mistakes.refuse(stage.project, service, {}, {"DATABASE_URL": url, **more}, within=fixed(10))
        what = f"`{service}` with {mistakes.shown(start.wrong)}"
        expect(start.code not in (None, 0), f"to end with a status other than 0: {what}", _how(start.code))
        expect(bool(start.said.strip()), f"a line that says what is wrong, of {what}", "nothing")
        expect_unsaid([SECRET], start.said, f"no password in the output of {what}")


@check(points=0.3, read=EXAMPLE)
def test_example_names_every_variable(the_project):
    """`.env.example` names every variable of the contract, each with a comment.

    Somebody has never seen your code and shall run it today. What do they open first?
    """
    text = _example(the_project)
    missing = [name for name in VARIABLES if not re.search(rf"^[#\s]*(export\s+)?{name}\s*=", text, re.M)]
    expect(not missing, "all variables of the contract in .env.example", f"missing: {', '.join(missing)}")
    bare = [name for name in VARIABLES if not _has_comment(text, name)]
    expect(not bare, "a comment for each variable in .env.example", f"without one: {', '.join(bare)}")


@check(points=0.4, read=EXAMPLE)
def test_example_starts_both_services(stage):
    """With DATABASE_URL and the port replaced, both services run with exactly what `.env.example` says.

    When did somebody last start your service with that file, and who would notice if it were wrong?
    """
    values = {name: value or "" for name, value in _values(_example(stage.project)).items()}
    given = {name: value for name, value in values.items() if name not in ("DATABASE_URL", "API_PORT")}
    did("start both services with the values of .env.example")
    task = stage.add(title="there before the worker")
    worker = stage.worker(**{"WORKER_POLL_INTERVAL": "", **given})
    api = stage.api(**given)
    Client(f"http://127.0.0.1:{api.settings['API_PORT']}", None).get("/health").expect(200)
    stage.wait_for_end(task)
    expect(worker.exit_code is None, "the worker to live on", _how(worker.exit_code))


@check(points=0.3, read=SECRETS)
def test_secrets_stay_out_of_git(the_project):
    """git ignores `.env`, and no `.env` with a password in it comes along with the project.

    You type `git add .` at the end of a long day. What goes with it?
    """
    folder = the_project.folder
    did("look whether git ignores .env")
    inside = _git(folder, "rev-parse", "--is-inside-work-tree")
    if inside is not None and inside.stdout.strip() == "true":
        tracked = _git(folder, "ls-files", "--error-unmatch", ".env")
        expect(tracked is None or tracked.returncode != 0, "no .env in git", "git knows it")
        ignored = _git(folder, "check-ignore", "--quiet", "--no-index", ".env")
        expect(
            ignored is None or ignored.returncode == 0,
            "git to ignore .env: a .gitignore that says so",
            "git would take it",
        )
    elif text := _read(folder / ".env"):
        url = _values(text).get("DATABASE_URL") or ""
        example = _values(_read(folder / ".env.example") or "").get("DATABASE_URL")
        expect(
            not _password(url) or url == example,
            "no .env with a password in the project",
            "one came along with it",
        )


def _says_environment(answer, wanted):
    found = answer.data.get("environment") if isinstance(answer.data, dict) else None
    expect(found == wanted, f'"environment": "{wanted}" in /info', answer)


def _how(code):
    return "it still runs" if code is None else f"it {services.how_it_ended(code)}"


def _example(project):
    """The text of .env.example."""
    text = _read(project.folder / ".env.example")
    if text is None:
        fail("a file .env.example beside the Procfile", "no such file")
    return text


def _read(path):
    """The text of a file, as much as anybody would write by hand; None if there is none."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                return file.read(65_536).decode("utf-8", "replace")
    except OSError:
        pass
    return None


def _values(text):
    """What a file of variables sets."""
    return dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False)


def _has_comment(text, name):
    """Whether a variable has a comment: beside it, or in the lines that stand together with it."""
    for block in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in block.splitlines()]
        own = [line for line in lines if re.match(rf"(#\s*)?(export\s+)?{name}\s*=", line)]
        comments = [line for line in lines if re.match(r"#.*\w", line) and not re.match(r"#\s*\w+\s*=", line)]
        if own and (comments or any(re.search(r"\s#.*\w", line) for line in own)):
            return True
    return False


def _password(url):
    try:
        return urlsplit(url).password
    except ValueError:
        return url


def _git(folder, *arguments):
    """What git says there; None if there is no git."""
    trusting = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false")
    try:
        return subprocess.run(
            ["git", *trusting, "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
