"""The stage of a check of the queue, and the audit of its tasks, played on by small workers of our own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from labkit import audit, evidence, postgres, project, stage
from labkit.evidence import CheckFailed, Journal
from labkit.stage import Stage

TABLE = """
    CREATE TABLE tasks (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title text, type text, payload json,
        status text NOT NULL DEFAULT 'pending', assigned_worker text, attempts int NOT NULL DEFAULT 0,
        error text, result json, lease int,
        created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()
    )
"""
WORKER = """
import os, time, psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    while True:
        claimed = connection.execute(
            "UPDATE tasks SET status = 'processing', attempts = attempts + 1, assigned_worker = 'w'"
            " WHERE id = (SELECT id FROM tasks WHERE status = 'pending' LIMIT 1) RETURNING id, type"
        ).fetchall()
        for task, kind in claimed:
            if kind == "deadly":
                os._exit(7)
            connection.execute("UPDATE tasks SET status = 'completed' WHERE id = %s", [task])
        time.sleep(0.05)
"""


@pytest.fixture
def play(a_project: Callable[..., Path]) -> Iterator[Stage]:
    """A stage with a small table `tasks` and a small worker."""
    the_project = project.load(a_project("worker: python worker.py", worker=WORKER))
    server = postgres.open_server()
    with server.database("template") as template, ExitStack() as stack:
        with psycopg.connect(template.url, autocommit=True) as connection:
            connection.execute(TABLE)
        over = threading.Event()
        yield stack.enter_context(stage.opened(the_project, server, over, template.name))


def update(play: Stage, assignments: str, task: str) -> None:
    with psycopg.connect(play.database.url, autocommit=True) as connection:
        connection.execute(f"UPDATE tasks SET {assignments} WHERE id = '{task}'".encode())  # noqa: S608


def test_every_change_that_a_client_can_see_is_written_down(play: Stage) -> None:
    task = play.add("sleep", {"seconds": 1})
    update(play, "lease = 5", task)
    update(play, "status = 'processing', assigned_worker = 'a', attempts = 1", task)
    update(play, "lease = 6", task)
    update(play, "updated_at = updated_at + interval '1 second'", task)
    update(play, "assigned_worker = 'b', attempts = 2", task)
    update(play, "status = 'completed'", task)
    play.probe.execute("DELETE FROM tasks")
    history = [(c.before, c.after, c.worker, c.attempts, c.claims) for c in play.history(task)]
    assert history == [
        (None, "pending", None, 0, False),
        ("pending", "processing", "a", 1, True),
        ("processing", "processing", "a", 1, False),
        ("processing", "processing", "b", 2, True),
        ("processing", "completed", "b", 2, False),
        ("completed", None, None, None, False),
    ]
    assert [claim.worker for claim in play.claims(task)] == ["a", "b"]
    assert audit.most_at_once(play.history()) == 1


def test_how_many_were_at_work_at_once(play: Stage) -> None:
    one, two = play.add(), play.add()
    for task in (one, two):
        update(play, "status = 'processing'", task)
    update(play, "status = 'pending'", one)
    assert audit.most_at_once(play.history()) == 2
    assert audit.most_at_once([]) == 0


def test_a_worker_is_started_and_watched(play: Stage) -> None:
    worker = play.ready_worker()
    first, second = play.add(), play.add()
    rows = play.wait_for_end(first, second)
    assert [row["status"] for row in rows] == ["completed", "completed"]
    assert play.wait_for_claim(first).worker == "w"
    play.wait_until_all_ended(within=1)
    worker.kill()
    with pytest.raises(CheckFailed, match="the task to end within"):
        play.wait_for_end(play.add(), within=0.1)


def test_a_worker_that_ends_by_itself_is_noticed_at_once(play: Stage) -> None:
    play.worker()
    task = play.add("deadly")
    with pytest.raises(CheckFailed, match="the worker to live on") as caught:
        play.wait_for_end(task, within=60)
    assert caught.value.saw == "it exited with status 7"


def test_a_worker_that_was_told_to_end_may_be_gone(play: Stage) -> None:
    worker = play.ready_worker()
    worker.send(signal.SIGTERM)
    assert worker.wait(within=10) is not None
    play.worker()
    [row] = play.wait_for_end(play.add())
    assert row["status"] == "completed"


def test_a_worker_that_is_kept_is_started_once_and_anew_after_a_failure(play: Stage) -> None:
    with evidence.aside(Journal()) as journal:
        play.keep_worker()
        play.keep_worker()
    assert [action.text for action in journal.actions] == [
        "start a worker",
        "with a worker that is at work already",
    ]
    task = play.add()
    play.clear()
    assert play.probe.row(task) is None
    play.keep_worker()
    [row] = play.wait_for_end(*play.add_many(1))
    assert row["status"] == "completed"


def test_who_waits_is_told_when_the_run_is_over(play: Stage) -> None:
    threading.Timer(0.2, play.over.set).start()
    with pytest.raises(stage.Over):
        play.until(lambda: False, within=60)


def test_the_evidence_tells_what_was_put_in(play: Stage) -> None:
    with evidence.aside(Journal()) as journal:
        play.add("sleep", {"seconds": 3})
    assert journal.did() == 'psql: INSERT a task: sleep {"seconds": 3}'


def test_without_the_contracts_columns_there_is_no_stage(a_project: Callable[..., Path]) -> None:
    the_project = project.load(a_project("worker: true"))
    server = postgres.open_server()
    with server.database("template") as template:
        with pytest.raises(CheckFailed, match="a table `tasks` with the contract's columns"):
            with stage.opened(the_project, server, threading.Event(), template.name):
                pass
