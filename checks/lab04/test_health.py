"""healthcheck.py: UP or DOWN with the reason, soon, whatever has become of the three."""

import re

from labkit import scripts, standin
from labkit.checks import check
from labkit.episodes.lives import SCRIPT, WORKERS
from labkit.evidence import did, expect, expect_unsaid, only, shorten
from labkit.ports import free_port
from labkit.standin import StandIn

HANDOUT = "lab-04-operations.md#health-check"
NAMES = ("api-service", "worker-service", "postgresql")
SOON_S = 32.0
"""Longer than anybody would like to wait, and a bound all the same (scaled)."""


@check(points=0.5, read=HANDOUT)
def test_all_is_up(lives):
    """When all three are up, there is a line with UP for each, and exit status 0; with `--json` one object.

    Who will read this: somebody at a terminal, or a program? What does each of them look at first?
    """
    only("start a worker, have it do a task", f"python scripts/{SCRIPT}")
    plain = lives.before_plain.expect(0, f"of {SCRIPT} while all is up")
    for name in NAMES:
        told = plain.out.strip() or "nothing"
        expect(_state(plain.out, name) == "UP", f"a line on stdout with {name} and UP", told)
    only("start a worker, have it do a task", f"python scripts/{SCRIPT} --json")
    ended = lives.before.expect(0, f"of {SCRIPT} --json while all is up")
    expect(ended.json.get("status") == "up", '"status": "up" while all is up', shorten(ended.out))
    for name in NAMES:
        _is(ended, name, "up")


@check(points=0.7, read=HANDOUT)
def test_worker_is_down(lives):
    """A worker that was killed, frozen, or told to stop is DOWN two polls and a lease (and a second) later.

    How can a process that does nothing at all tell you that it does nothing?
    """
    lives.before.expect(0, f"of {SCRIPT} while the worker runs")
    for name, done in WORKERS.items():
        only("start a worker, have it do a task", done, lives.waited, f"python scripts/{SCRIPT} --json")
        ended = lives.after[name].expect(1, f"of {SCRIPT} after the worker was {name}")
        _is(ended, "worker-service", "down", f" after the worker was {name}")
        for other in ("api-service", "postgresql"):
            _is(ended, other, "up", " while only the worker is gone")


@check(points=0.4, read=HANDOUT)
def test_database_is_down(stage):
    """Without a database, postgresql is DOWN, with the reason but without a password in it.

    The database is gone. Which of the three can your script still find out about, and what of all that it
    knows may it show?
    """
    secret = "pa55-of-the-check"
    url = f"postgresql://flowforge:{secret}@127.0.0.1:{free_port()}/flowforge"
    with standin.serving(StandIn()) as api:
        did("ask with a DATABASE_URL where nobody listens")
        ended = _check(stage, "--json", DATABASE_URL=url, **api.settings)
    ended.expect(1, "while the database is away")
    _is(ended, "postgresql", "down", " while nobody listens there")
    _is(ended, "api-service", "up", ", whose /health answers 200")
    services = ended.json.get("services")
    there = isinstance(services, dict) and services.keys() >= set(NAMES)
    expect(there, f'all three in "services": {", ".join(NAMES)}', shorten(ended.out, 500))
    expect_unsaid([secret], ended.said, "no password in the output")


@check(points=0.4, read=HANDOUT)
def test_api_is_down(stage):
    """The API is DOWN, with the reason, when nobody listens there and when its `/health` is not 200.

    A process that listens and answers 503: is it up? And what does somebody want to know who reads DOWN?
    """
    did("ask for an API that is not there")
    absent = _check(stage, "--json", API_HOST="127.0.0.1", API_PORT=str(free_port()))
    absent.expect(1, "while the API is away")
    _is(absent, "api-service", "down", " while nobody listens there")
    _is(absent, "postgresql", "up", ", which answers")
    with standin.serving(StandIn(health=503)) as api:
        did("ask for an API whose /health answers 503")
        ailing = _check(stage, **api.settings).expect(1, "while /health answers 503")
    expect(
        _state(ailing.out, "api-service") == "DOWN",
        "a line on stdout with api-service and DOWN while /health answers 503",
        ailing.out.strip() or "nothing",
    )
    reason = next(line for line in ailing.out.splitlines() if "api-service" in line)
    rest = re.sub(r"api-service|DOWN|\W", "", reason)
    expect(bool(rest), "the reason on the line with DOWN", shorten(reason))


@check(points=0.4, read=HANDOUT)
def test_hanging_services_are_down(stage):
    """A service that takes the connection and then says nothing is DOWN, and the script comes to an end.

    How long would you wait for an answer, and what do you tell of the one that gave none?
    """
    with standin.silent_listener() as api, standin.silent_listener() as database:
        did("ask an API and a database that take connections and answer nothing")
        ended = _check(
            stage,
            "--json",
            DATABASE_URL=f"postgresql://flowforge:x@127.0.0.1:{database}/flowforge",
            API_HOST="127.0.0.1",
            API_PORT=str(api),
        )
    ended.expect(1, "while nobody answers")
    for name in ("api-service", "postgresql"):
        _is(ended, name, "down", " while it answers nothing")


def _check(stage, *arguments, **settings):
    given = {"DATABASE_URL": stage.database.url, **settings}
    return scripts.run(stage.project, SCRIPT, *arguments, settings=given, within=SOON_S)


def _state(out, name):
    """UP or DOWN, as the line with that name says; empty if there is none."""
    for line in out.splitlines():
        found = re.search(r"\b(UP|DOWN)\b", line) if name in line else None
        if found:
            return found[1]
    return ""


def _is(ended, name, status, when=""):
    services = ended.json.get("services")
    found = services.get(name) if isinstance(services, dict) else None
    told = shorten(ended.out, 500)
    expect(isinstance(found, dict), f'"{name}" in "services"', told)
    expect(found.get("status") == status, f'"status": "{status}" of {name}{when}', told)
    reason = found.get("reason")
    if status == "up":
        expect(reason is None, f"null as the reason of {name}, which is up", told)
    else:
        expect(isinstance(reason, str) and bool(reason.strip()), f"a text as the reason of {name}", told)
