"""FlowForge: the reference project's own migrations; a client's INSERT is one row in `tasks`."""

from __future__ import annotations

from pathlib import Path

import psycopg

from bench.queues import Queue
from labkit import project, services
from labkit.errors import LabError

FOLDER = Path(__file__).parents[2] / "project"


def _prepare(url: str) -> None:
    migrated = services.run(project.load(FOLDER), "migrate", {"DATABASE_URL": url}, within=60)
    if migrated.exit_code != 0:
        raise LabError(
            "The reference's migrations failed: " + "\n".join(migrated.log()), "Try `lab check 2` first."
        )


def _fill(url: str, count: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO tasks (title) SELECT 'task ' || n FROM generate_series(1, %s) n", [count]
        )


QUEUE = Queue(
    name="FlowForge",
    table="tasks",
    prepare=_prepare,
    fill=_fill,
    clear="TRUNCATE tasks",
    left="""
        SELECT EXISTS (SELECT FROM tasks WHERE status = 'pending')
            OR EXISTS (SELECT FROM tasks WHERE status = 'processing')
    """,
    done="""
        SELECT count(*), max(pg_xact_commit_timestamp(xmin))
        FROM tasks WHERE status = 'completed' AND title LIKE 'task %'
    """,
    insert="INSERT INTO tasks (title) VALUES ('task')",
    claimed="processing",
    history="""
        INSERT INTO tasks (title, status, attempts, assigned_worker)
        SELECT 'history ' || n, 'completed', 1, 'somebody' FROM generate_series(1, %s) n
    """,
)
