"""The pool: many requests share few connections, and give them back."""

import time
from concurrent.futures import ThreadPoolExecutor

from labkit import tasks
from labkit.checks import check
from labkit.deadlines import wait_until
from labkit.evidence import Journal, did, expect, recording, shorten
from labkit.ports import most_at_once

HANDOUT = "lab-02-database.md#the-connection-pool"


@check(points=0.6, read=HANDOUT)
def test_never_more_than_its_maximum(own_api):
    """A hundred requests at once open no more than DB_POOL_MAX connections, and all are answered.

    A connection costs the server a process. Who decides how many it has to bear: your clients, or you?
    """
    with own_api(fresh=True, DB_POOL_MAX="3") as own:
        task = tasks.create(own.api)
        with ThreadPoolExecutor(100) as pool:
            with own.probe.locked_table():
                did("100 clients at once: GET /tasks, /tasks/{id} and /health, with DB_POOL_MAX=3")
                with recording(Journal()):
                    paths = ["/tasks?limit=5", f"/tasks/{task['id']}", "/health", "/tasks?page=2"] * 25
                    answers = [pool.submit(own.api.get, path) for path in paths]
                    own.probe.wait_for_waiting(1)
                    seen = _most_in_a_while(own)
            with recording(Journal()):
                statuses = [answer.result().status for answer in answers]
            seen = max(seen, _most(own))
    expect(seen <= 3, "at most 3 connections of a process at any time", f"{seen} connections")
    lost = [status for status in statuses if status != 200]
    expect(not lost, "100 answers with status 200", f"{len(lost)} others: {lost[:5]}")


@check(points=0.4, read=HANDOUT)
def test_one_connection_is_enough(own_api):
    """With DB_POOL_MAX=1 the service works just as well, only slower.

    Does any of your requests need two connections at a time? What if two such requests each have one?
    """
    with own_api(fresh=True, DB_POOL_MAX="1") as own, ThreadPoolExecutor(20) as pool:
        task = tasks.create(own.api)
        with recording(Journal()):
            paths = ["/health", "/tasks?limit=3", f"/tasks/{task['id']}"] * 10
            answers = [pool.submit(own.api.get, path) for path in paths]
            statuses = [answer.result().status for answer in answers]
        did("30 requests from 20 clients, with DB_POOL_MAX=1")
        lost = [status for status in statuses if status != 200]
        expect(not lost, "30 answers with status 200", f"{len(lost)} others: {lost[:5]}")
        expect(_most(own) <= 1, "one connection", f"{_most(own)} connections")


@check(points=0.5, read=HANDOUT)
def test_errors_give_connections_back(own_api):
    """Requests that end in an error give their connection back like all others.

    Follow a connection to the point where an exception is thrown. Who returns it now, and in what state?
    """
    with own_api(fresh=True, DB_POOL_MAX="2") as own:
        task = tasks.create(own.api)
        for number in range(6):
            own.api.get(f"/tasks/{tasks.nobody()}").expect(404)
            own.api.put(f"/tasks/{tasks.nobody()}", json={"title": "x"}).expect(404)
            own.api.delete(f"/tasks/{tasks.nobody()}").expect(404)
            own.api.post("/tasks", json={"title": ""}).expect(400)
            own.api.get(f"/tasks?limit={number - 5}").expect(400)
        own.probe.execute("ALTER TABLE tasks RENAME TO tasks_away")
        try:
            for _ in range(4):
                own.api.get("/tasks")
                own.api.get(f"/tasks/{task['id']}")
                own.api.post("/tasks", json={"title": "nowhere to go"})
        finally:
            own.probe.execute("ALTER TABLE tasks_away RENAME TO tasks")
        own.api.get(f"/tasks/{task['id']}").expect(
            200, "after 30 requests that were refused, and 12 while the table was missing"
        )
        own.api.post("/tasks", json={"title": "x"}).expect(
            201, "after 30 requests that were refused, and 12 while the table was missing"
        )


@check(points=0.3, read=HANDOUT)
def test_holds_no_transaction_open(api, probe):
    """Between requests no connection sits in an open transaction.

    What does PostgreSQL keep for a transaction that never ends, and for how long?
    """
    task = tasks.create(api)
    api.get("/tasks")
    api.put(f"/tasks/{task['id']}", json={"title": "x"})
    api.get(f"/tasks/{tasks.nobody()}")

    def open_ones():
        return probe.query(
            "SELECT state, query FROM pg_stat_activity"
            " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        )

    did("look at pg_stat_activity")
    wait_until(lambda: not open_ones(), within=2)
    left = [f"`{row['state']}` after {shorten(' '.join(row['query'].split()), 80)}" for row in open_ones()]
    expect(not left, "all connections `idle`", "\n".join(left[:3]))


def _most(own):
    """How many connections to the database a process of the service has, the one with the most."""
    return most_at_once(own.service.pid, own.probe.client_ports())


def _most_in_a_while(own):
    """The same, at any time in the next 0.4 s: not scaled, for whoever waits for our lock has deadlines."""
    until, seen = time.monotonic() + 0.4, 0
    while time.monotonic() < until:
        seen = max(seen, _most(own))
        time.sleep(0.02)
    return seen
