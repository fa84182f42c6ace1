"""What happened to the tasks: every change, in order, as the database saw it.

A trigger in a schema of our own writes it down, so that nothing has to be caught in the act, and nothing is
missed. Changes of what no client can see (a lease, a heartbeat) are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from labkit.probe import Probe

_INSTALL = """
    CREATE SCHEMA labkit;
    CREATE TABLE labkit.changes (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        task text NOT NULL,
        before text,
        after text,
        worker text,
        attempts integer,
        claims boolean NOT NULL DEFAULT false
    );
    CREATE FUNCTION labkit.write_down() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
    $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            INSERT INTO labkit.changes (task, before) VALUES (OLD.id::text, OLD.status::text);
        ELSIF TG_OP = 'INSERT' THEN
            INSERT INTO labkit.changes (task, after, worker, attempts)
            VALUES (NEW.id::text, NEW.status::text, NEW.assigned_worker::text, NEW.attempts);
        ELSIF (NEW.status, NEW.assigned_worker, NEW.attempts, NEW.error, NEW.result::text, NEW.updated_at)
            IS DISTINCT FROM
            (OLD.status, OLD.assigned_worker, OLD.attempts, OLD.error, OLD.result::text, OLD.updated_at)
        THEN
            INSERT INTO labkit.changes (task, before, after, worker, attempts, claims)
            VALUES (
                NEW.id::text, OLD.status::text, NEW.status::text, NEW.assigned_worker::text, NEW.attempts,
                NEW.status::text = 'processing'
                AND (OLD.status::text, OLD.assigned_worker::text, OLD.attempts)
                    IS DISTINCT FROM ('processing', NEW.assigned_worker::text, NEW.attempts)
            );
        END IF;
        RETURN NULL;
    END
    $$;
    CREATE TRIGGER labkit_changes AFTER INSERT OR UPDATE OR DELETE ON tasks
        FOR EACH ROW EXECUTE FUNCTION labkit.write_down()
"""


@dataclass(frozen=True)
class Change:
    """One change of one task. `before` is None for a new task, `after` for one that was deleted; `worker` and
    `attempts` are those after it; `claims` says whether a worker took the task with it."""

    at: datetime
    task: str
    before: str | None
    after: str | None
    worker: str | None
    attempts: int | None
    claims: bool

    def __str__(self) -> str:
        by = f" by {self.worker}" if self.worker else ""
        how = f"{self.before or 'new'} → {self.after or 'deleted'}{by}, attempts {self.attempts}"
        return f"{self.at:%H:%M:%S}.{self.at.microsecond // 1000:03} {how}"


def install(probe: Probe) -> None:
    """Write down, from now on, what happens to the tasks of the probe's database.

    CheckFailed if there is no table `tasks` with the contract's columns.
    """
    probe.query("SELECT id, status, assigned_worker, attempts, error, result, updated_at FROM tasks LIMIT 0")
    probe.connection.execute(_INSTALL)


def changes(probe: Probe, task: str | None = None) -> list[Change]:
    """All changes so far, oldest first; those of one task, if one is named."""
    rows: Iterable[dict[str, Any]] = probe.query(
        "SELECT at, task, before, after, worker, attempts, claims FROM labkit.changes"
        " WHERE task = coalesce(%s, task) ORDER BY number",
        task,
    )
    return [Change(**row) for row in rows]


def most_at_once(history: Iterable[Change]) -> int:
    """How many tasks were in `processing` at the same time, at most."""
    steps = ((c.after == "processing") - (c.before == "processing") for c in history)
    return max(accumulate(steps), default=0)
