"""The manners of all scripts: help, wrong usage, failure, any folder, and nobody who reads on."""

import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from labkit import scripts, standin
from labkit.checks import check
from labkit.evidence import did, expect, expect_unsaid
from labkit.ports import free_port
from labkit.standin import StandIn

HANDOUT = "lab-04-operations.md#how-scripts-behave"
SECRET = "pa55-of-the-check"

SEED, HEALTH, CLEANUP, LOAD = "seed-database.py", "healthcheck.py", "cleanup.py", "load-test.py"
OPTIONS = {
    SEED: ("--count", "--clear", "--seed"),
    HEALTH: ("--json",),
    CLEANUP: ("--confirm",),
    LOAD: ("--requests", "--concurrency", "--json"),
}
WRONG_USAGE = (
    (SEED, "--count", "0"),
    (SEED, "--count", "-5"),
    (SEED, "--count", "many"),
    (HEALTH, "--xml"),
    (CLEANUP, "--confirm", "--everything"),
    (LOAD, "--requests", "0", "--concurrency", "1"),
    (LOAD, "--requests", "5", "--concurrency", "-1", "--slowly"),
)


@check(points=0.2, read=HANDOUT)
def test_explain_themselves(stage):
    """`--help` names the options of each script, and exits with 0.

    Half a year from now, you wonder what the option was called. Where do you look first?
    """
    for name, options in OPTIONS.items():
        ended = scripts.run(stage.project, name, "--help", settings={}).expect(0, f"of {name} --help")
        missing = [option for option in options if option not in ended.said]
        expect(not missing, f"all options of {name} in its help", f"not there: {', '.join(missing)}")


@check(points=0.3, read=HANDOUT)
def test_refuse_wrong_usage(stage):
    """Options that do not exist, and counts below 1, are wrong usage: exit status 2, and nothing is done.

    Somebody mistypes an option, or asks for none of something. What do they expect, and what does your
    script do?
    """
    stage.add_many(3)
    with standin.serving(StandIn()) as api:
        settings = {"DATABASE_URL": stage.database.url, **api.settings}
        for name, *arguments in WRONG_USAGE:
            ended = scripts.run(stage.project, name, *arguments, settings=settings)
            ended.expect(2, f"of {name} {' '.join(arguments)}")
            expect(bool(ended.said.strip()), "a word about what is wrong", "nothing was printed")
        rows = stage.probe.count()
        expect(
            rows == 3 and api.posts == 0, "nothing to have been done", f"{rows} rows, {api.posts} requests"
        )


@check(points=0.5, read=HANDOUT)
def test_fail_politely(stage):
    """Whatever is missing or wrong, a script says so in a clear line, without a password, and exits with 1.

    Your script fails at night, and ten people are mailed its last words. What must be in them, what must not,
    and what does the program look at that started it?
    """
    parts = urlsplit(stage.database.url)
    wrong_password = parts._replace(netloc=f"{parts.username}:{SECRET}@{parts.hostname}:{parts.port}")
    away = f"postgresql://flowforge:{SECRET}@127.0.0.1:{free_port()}/flowforge"
    here = stage.database.url

    def is_polite(what, name, arguments, settings, word=""):
        did(f"run {name} {what}")
        ended = scripts.run(stage.project, name, *arguments, settings=settings)
        ended.expect(1, f"of {name} {what}")
        expect(bool(ended.said.strip()), f"a clear line of {name} {what}", "nothing was printed")
        expect(word in ended.said, f"{name} {what} to name {word}", ended)
        expect_unsaid([SECRET], ended.said, f"no password in the output of {name} {what}")

    once = ("--requests", "1", "--concurrency", "1")
    is_polite("without DATABASE_URL", SEED, ("--count", "3"), {}, "DATABASE_URL")
    is_polite("without DATABASE_URL", HEALTH, (), {"DATABASE_URL": ""}, "DATABASE_URL")
    is_polite("with API_PORT=http", LOAD, once, {"DATABASE_URL": here, "API_PORT": "http"}, "API_PORT")
    is_polite("with the database away", SEED, ("--count", "3"), {"DATABASE_URL": away})
    is_polite("with a wrong password", CLEANUP, ("--confirm",), {"DATABASE_URL": urlunsplit(wrong_password)})
    stage.probe.execute("ALTER TABLE tasks RENAME TO tasks_away")
    is_polite("with no table `tasks`", SEED, ("--count", "3"), {"DATABASE_URL": here})
    is_polite("with no table `tasks`", CLEANUP, ("--confirm",), {"DATABASE_URL": here})


@check(points=0.2, read=HANDOUT)
def test_work_from_anywhere(stage):
    """The scripts work from the folder above the project, and from any other one.

    `python` looks for your modules in certain places. Which of them depend on where you stand?
    """
    above = stage.project.folder.parent
    with standin.serving(StandIn()) as api, tempfile.TemporaryDirectory() as elsewhere:
        settings = {"DATABASE_URL": stage.database.url, **api.settings}

        def run(name, *arguments, **where):
            return scripts.run(stage.project, name, *arguments, settings=settings, **where)

        run(SEED, "--count", "4", cwd=above, relative=True).expect(0, f"of {SEED} from the folder above")
        run(LOAD, "--requests", "2", "--concurrency", "1", cwd=above, relative=True).expect(
            0, f"of {LOAD} from the folder above"
        )
        run(CLEANUP, "--confirm", cwd=Path(elsewhere)).expect(0, f"of {CLEANUP} from another folder")
        asked = run(HEALTH, cwd=Path(elsewhere)).without_traceback()
        expect("worker-service" in asked.out, f"{HEALTH} to work from another folder", asked)
    expect(stage.probe.count() == 0, "no tasks, after seeding and cleaning up", f"{stage.probe.count()}")


@check(points=0.2, read=HANDOUT)
def test_bear_a_closed_pipe(stage):
    """When nobody reads a script's output to its end, that is no reason for a traceback.

    `… | head -1` has seen enough and leaves. What becomes of the one who is still talking?
    """
    settings = {"DATABASE_URL": stage.database.url, "API_HOST": "127.0.0.1", "API_PORT": str(free_port())}
    for name, *arguments in ((HEALTH,), (SEED, "--count", "3")):
        scripts.run(stage.project, name, *arguments, settings=settings, closed_pipe=True).without_traceback()
