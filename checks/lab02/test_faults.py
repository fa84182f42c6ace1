"""The database goes away, hangs, comes back; the API says so, and goes on."""

import re

from labkit import tasks
from labkit.checks import check
from labkit.deadlines import scaled, stated
from labkit.episodes.outage import BACK_S, HANGS_S, UNAVAILABLE_S
from labkit.evidence import CheckFailed, expect, fail, only
from labkit.services import Service

HANDOUT = "lab-02-database.md#when-the-database-goes-away"
# Whole words: a message may speak of a correlation id.
INSIDE = re.compile(
    r"traceback|psycopg|sqlalchemy|asyncpg|undefinedtable|42p01|tasks_away|\b(select|relation)\b|\bpg_"
)


@check(points=0.5, read=HANDOUT)
def test_health_says_down(outage):
    """While the database is gone, `GET /health` answers 503 within five seconds.

    Who reads this answer, and what would they do if you said nothing for a minute?
    """
    _unavailable("GET /health", outage.during["GET /health"], within=UNAVAILABLE_S)


@check(points=0.5, read=HANDOUT)
def test_requests_get_503(outage):
    """While the database is gone, requests that need it get 503 within five seconds.

    A client gets 503. What does it do next, and what would it do after a 500?
    """
    for name, answer in outage.during.items():
        if name != "GET /health":
            _unavailable(name, answer, within=UNAVAILABLE_S)


@check(points=0.6, read=HANDOUT)
def test_comes_back_by_itself(outage):
    """Within five seconds of the database's return the API serves again, without a restart.

    Your server has gone and come back. What has your service to throw away, and what has it to keep?
    """
    if outage.ended is not None:
        outage.back.tell()
        fail("the API to live on while PostgreSQL is away, and after", f"it ended with status {outage.ended}")
    _arrived("GET /health", outage.back).expect(200, f"{stated(BACK_S)} of PostgreSQL's return")
    for name, status in (("GET /tasks/{id}", 200), ("POST /tasks", 201)):
        _arrived(name, outage.after[name]).expect(status, f"for {name} after PostgreSQL's return")


@check(points=0.5, read=HANDOUT)
def test_nothing_is_half_done(outage):
    """What was answered 201 before, during and after an outage is in the table once, and nothing else is.

    A client hears nothing, or 503. Which answers may it trust, and what must it ask again?
    """
    only("3 × POST; stop PostgreSQL; POST «during», PUT, DELETE «before 1»; start it again; POST «after»")
    promised = {str(task_id).lower(): title for task_id, title in outage.promised}
    rows = [(task_id.lower(), title) for task_id, title in outage.rows]
    there = {task_id for task_id, _ in rows}
    missing = [title for task_id, title in promised.items() if task_id not in there]
    others = [title for task_id, title in rows if task_id not in promised]
    expect(
        not missing and not others and len(rows) == len(outage.promised),
        f"a row for each of the {len(outage.promised)} tasks that were answered with 201, and no other",
        "\n".join(
            [
                f"{len(rows)} rows",
                *(f"no row for «{title}», which was answered with 201" for title in missing),
                *(f"a row for «{title}» that was not answered with 201" for title in others),
            ]
        ),
    )


@check(points=0.5, read=HANDOUT)
def test_health_does_not_hang(hang):
    """If the database takes connections but answers nothing, `GET /health` says 503 within ten seconds.

    The server takes your connection, and says nothing. How would your service find out, and how soon?
    """
    _unavailable("GET /health", hang.health, within=HANGS_S)


@check(points=0.5, read=HANDOUT)
def test_dead_connections_go_unnoticed(own_api):
    """After all its connections were killed, the API's next requests do not notice.

    How do you find out that a connection is dead: before you need it, or when your client is waiting?
    """
    with own_api(fresh=True, DB_POOL_MAX="4") as own:
        task = tasks.create(own.api)
        for _ in range(3):
            own.probe.kill_connections()
            for _ in range(4):
                own.api.get(f"/tasks/{task['id']}").expect(200, "after all connections were killed")
            own.api.post("/tasks", json={"title": "x"}).expect(201, "after all connections were killed")
        _lives(own.service)


@check(points=0.5, read=HANDOUT)
def test_unexpected_errors_are_500(own_api):
    """An error of the database that nobody expected is a 500, shows nothing of the inside, and is survived.

    Who reads 503 tries again: will that help here? And what does an attacker learn from your error messages?
    """
    with own_api(fresh=True) as own:
        own.probe.execute("ALTER TABLE tasks RENAME TO tasks_away")
        for answer in (own.api.get("/tasks"), own.api.post("/tasks", json={"title": "x"})):
            answer.expect_error(500, "internal", "while the table is missing")
            text = answer.body.decode("utf-8", "replace").lower()
            expect(not INSIDE.search(text), "nothing of the inside in the answer", answer)
        own.probe.execute("ALTER TABLE tasks_away RENAME TO tasks")
        own.api.get("/tasks").expect(200, "with the table back in its place")
        _lives(own.service)


def _unavailable(name, exchange, within):
    """The answer says 503 `unavailable`, and came in time."""
    answer = _arrived(name, exchange, stated(within))
    answer.expect_error(503, "unavailable", f"for {name}, without a database that answers")
    expect(
        answer.duration_s <= scaled(within),
        f"an answer to {name} {stated(within)}",
        f"{answer.duration_s:.1f} s until it came",
    )


def _arrived(name, exchange, in_time=""):
    answer = exchange.tell()
    if isinstance(answer, CheckFailed):
        expect(False, f"an answer to {name} {in_time}".rstrip(), answer.saw)
    return answer


def _lives(service: Service):
    expect(
        service.exit_code is None, "the same process to go on", f"it ended with status {service.exit_code}"
    )
