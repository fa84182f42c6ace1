"""The database goes away, hangs, comes back; the API says so, and goes on."""

from labkit import tasks
from labkit.checks import check
from labkit.deadlines import scaled, wait_until
from labkit.evidence import did, expect
from labkit.services import Service

HANDOUT = "lab-02-database.md#when-the-database-goes-away"
WORDS_OF_THE_INSIDE = (
    "traceback",
    "psycopg",
    "sqlalchemy",
    "asyncpg",
    "select ",
    "relation",
    "tasks_away",
    "pg_",
)


@check(points=0.7, read=HANDOUT)
def test_health_says_down(outage):
    """While the database is gone, `GET /health` answers 503 within five seconds.

    Who reads this answer, and what would they do if you said nothing for a minute?
    """
    server, own = outage
    _stop(server)
    answer = own.api.get("/health").expect_error(503, "unavailable", "while PostgreSQL is stopped")
    expect(answer.duration_s <= scaled(5), "an answer within 5 s", f"{answer.duration_s:.1f} s")


@check(points=0.7, read=HANDOUT)
def test_requests_get_503(outage):
    """While the database is gone, requests that need it get 503 within five seconds.

    A client gets 503. What does it do next, and what would it do after a 500?
    """
    server, own = outage
    task = tasks.create(own.api)
    _stop(server)
    for method, path, body in (
        ("GET", "/tasks", None),
        ("GET", f"/tasks/{task['id']}", None),
        ("POST", "/tasks", {"title": "x"}),
        ("PUT", f"/tasks/{task['id']}", {"title": "x"}),
        ("DELETE", f"/tasks/{task['id']}", None),
    ):
        answer = own.api.request(method, path, json=body)
        answer.expect_error(503, "unavailable", "while PostgreSQL is stopped")
        expect(answer.duration_s <= scaled(5), "an answer within 5 s", f"{answer.duration_s:.1f} s")


@check(points=0.8, read=HANDOUT)
def test_comes_back_by_itself(outage):
    """Within five seconds of the database's return the API serves again, without a restart.

    Your pool holds ten connections to a server that is no longer there. Who throws them away, and when?
    """
    server, own = outage
    task = tasks.create(own.api, "Still there")
    _stop(server)
    own.api.get("/health")
    own.api.get("/tasks")
    did("start PostgreSQL again")
    server.start()
    back = wait_until(lambda: own.api.get("/health").status == 200, within=5, every=0.1)
    expect(bool(back), "200 from /health within 5 s of PostgreSQL's return", "still no 200")
    own.api.get(f"/tasks/{task['id']}").expect(200, "after PostgreSQL's return")
    own.api.post("/tasks", json={"title": "New"}).expect(201, "after PostgreSQL's return")
    _lives(own.service)


@check(points=0.6, read=HANDOUT)
def test_health_does_not_hang(outage):
    """If the database takes connections but answers nothing, `GET /health` says 503 within ten seconds.

    Your query waits. What is it waiting for, and who told it how long?
    """
    server, own = outage
    did("freeze PostgreSQL (SIGSTOP)")
    server.freeze()
    answer = own.api.get("/health").expect_error(503, "unavailable", "while PostgreSQL hangs")
    expect(answer.duration_s <= scaled(10), "an answer within 10 s", f"{answer.duration_s:.1f} s")


@check(points=0.7, read=HANDOUT)
def test_dead_connections_go_unnoticed(own_api):
    """After all its connections were killed, the API's next requests do not notice.

    How do you find out that a connection is dead: before you need it, or when your client is waiting?
    """
    with own_api(fresh=True, DB_POOL_MAX="4") as own:
        task = tasks.create(own.api)
        for _ in range(3):
            own.probe.kill_connections()
            gone = wait_until(lambda: own.probe.connections() == 0, within=2) or True
            expect(bool(gone), "the connections to be gone", "they are still there")
            for _ in range(4):
                own.api.get(f"/tasks/{task['id']}").expect(200, "after all connections were killed")
            own.api.post("/tasks", json={"title": "x"}).expect(201, "after all connections were killed")
        _lives(own.service)


@check(points=0.6, read=HANDOUT)
def test_unexpected_errors_are_500(own_api):
    """An error of the database that nobody expected is a 500, shows nothing of the inside, and is survived.

    What does an attacker learn from your error messages?
    """
    with own_api(fresh=True) as own:
        own.probe.execute("ALTER TABLE tasks RENAME TO tasks_away")
        for answer in (own.api.get("/tasks"), own.api.post("/tasks", json={"title": "x"})):
            answer.expect_error(500, "internal", "while the table is missing")
            text = answer.body.decode("utf-8", "replace").lower()
            shown = [word for word in WORDS_OF_THE_INSIDE if word in text]
            expect(not shown, "nothing of the inside in the answer", answer)
        own.probe.execute("ALTER TABLE tasks_away RENAME TO tasks")
        own.api.get("/tasks").expect(200, "with the table back in its place")
        _lives(own.service)


@check(points=0.6, read=HANDOUT)
def test_nothing_is_half_done(outage):
    """What was answered 201 before, during and after an outage is in the table once, and nothing else is.

    A client hears nothing, or 503. Which answers may it trust, and what must it ask again?
    """
    server, own = outage
    promised = [own.api.post("/tasks", json={"title": "before"}).expect(201).task["id"] for _ in range(3)]
    _stop(server)
    refused = [own.api.post("/tasks", json={"title": "during"}) for _ in range(2)]
    did("start PostgreSQL again")
    server.start()
    wait_until(lambda: own.api.get("/health").status == 200, within=5, every=0.1)
    promised += [own.api.post("/tasks", json={"title": "after"}).expect(201).task["id"] for _ in range(3)]
    promised += [answer.task["id"] for answer in refused if answer.status == 201]
    probe = type(own.probe).of(own.database)
    try:
        rows = {row["id"] for row in probe.query("SELECT id::text AS id FROM tasks")}
    finally:
        probe.close()
    expect(
        rows == set(promised), f"the {len(promised)} tasks that were answered with 201", f"{len(rows)} rows"
    )


def _stop(server):
    did("stop PostgreSQL")
    server.stop()


def _lives(service: Service):
    expect(
        service.exit_code is None, "the same process to go on", f"it ended with status {service.exit_code}"
    )
