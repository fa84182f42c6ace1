"""What happened to the tasks: every change, in order, as the database saw it.

A trigger in a schema of our own writes it down, so that nothing has to be caught in the act, and nothing is
missed. Changes of what no client can see (a lease, a heartbeat) are left out. The trigger's function has the
admin's rights, so it uses nothing that a project can redefine: text is made by `format`, not by casts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from typing import Any

import psycopg
from psycopg.sql import SQL

from labkit.evidence import CheckFailed, expect
from labkit.probe import Probe

_INSTALL = """
    CREATE TABLE labkit.changes (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        task text NOT NULL,
        before text,
        after text,
        worker text,
        attempts integer,
        claims boolean NOT NULL DEFAULT false,
        transaction xid8 NOT NULL DEFAULT pg_current_xact_id()
    );
    CREATE FUNCTION labkit.write_down() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
    $$
    DECLARE
        before text[];  -- status, worker, attempts
        after text[];
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            before := ARRAY[nullif(format('%s', OLD.status), ''), format('%L', OLD.assigned_worker),
                            format('%s', OLD.attempts)];
        END IF;
        IF TG_OP = 'DELETE' THEN
            INSERT INTO labkit.changes (task, before) VALUES (format('%s', OLD.id), before[1]);
            RETURN NULL;
        END IF;
        after := ARRAY[nullif(format('%s', NEW.status), ''), format('%L', NEW.assigned_worker),
                       format('%s', NEW.attempts)];
        IF TG_OP = 'UPDATE' AND after IS NOT DISTINCT FROM before
            AND format('%L %L %L', NEW.error, NEW.result, NEW.updated_at)
                = format('%L %L %L', OLD.error, OLD.result, OLD.updated_at)
        THEN
            RETURN NULL;
        END IF;
        INSERT INTO labkit.changes (task, before, after, worker, attempts, claims)
        VALUES (
            format('%s', NEW.id), before[1], after[1],
            CASE WHEN NEW.assigned_worker IS NOT NULL THEN format('%s', NEW.assigned_worker) END,
            CAST(nullif(after[3], '') AS integer),
            TG_OP = 'UPDATE' AND after[1] = 'processing' AND after IS DISTINCT FROM before
        );
        RETURN NULL;
    END
    $$
"""
_TRIGGER = SQL("""
    CREATE TRIGGER labkit_changes AFTER INSERT OR UPDATE OR DELETE ON {}
        FOR EACH ROW EXECUTE FUNCTION labkit.write_down()
""")
_REMEMBER = """
    CREATE TABLE labkit.installed AS
        SELECT oid AS trigger, xmin::text AS version, tgrelid::regclass::text AS place
        FROM pg_trigger WHERE tgfoid = 'labkit.write_down'::regproc
"""
_UNTOUCHED = """
    SELECT FROM labkit.installed i
    JOIN pg_trigger t
        ON t.oid = i.trigger AND t.xmin::text = i.version AND t.tgrelid::regclass::text = i.place
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
    table = probe.tasks()
    probe.make_our_schema()
    probe.admin.execute(_INSTALL)
    try:
        probe.admin.execute(_TRIGGER.format(table))
    except psycopg.errors.WrongObjectType as error:
        raise CheckFailed("`tasks` to be a table", str(error).splitlines()[0]) from None
    probe.admin.execute(_REMEMBER)


def changes(probe: Probe, task: str | None = None) -> list[Change]:
    """All changes so far, oldest first; those of one task, if one is named.

    CheckFailed if not all may have been written down: the table's owner can switch our trigger off.
    """
    expect(
        bool(probe.admin.execute(_UNTOUCHED).fetchall()),
        "the trigger `labkit_changes`, by which the checks see what happens to `tasks`, to be left alone",
        "somebody has disabled, changed or dropped it",
    )
    rows: Iterable[dict[str, Any]] = probe.admin.execute(
        "SELECT at, task, before, after, worker, attempts, claims, transaction::text FROM labkit.changes"
        " WHERE task = coalesce(%s, task) ORDER BY number",
        [task],
    )
    return _folded(rows)


def _folded(rows: Iterable[dict[str, Any]]) -> list[Change]:
    """The changes, those as one that nobody else could tell apart: of one transaction, with one status."""
    found: list[Change] = []
    last: dict[str, tuple[int, str]] = {}
    for row in rows:
        transaction = row.pop("transaction")
        change = Change(**row)
        place, before = last.get(change.task, (-1, ""))
        if transaction == before and found[place].after == change.before == change.after:
            claims = found[place].claims or change.claims
            found[place] = replace(change, at=found[place].at, before=found[place].before, claims=claims)
        else:
            last[change.task] = (len(found), transaction)
            found.append(change)
    return found


def most_at_once(history: Iterable[Change]) -> int:
    """How many tasks were in `processing` at the same time, at most."""
    steps = ((c.after == "processing") - (c.before == "processing") for c in history)
    return max(accumulate(steps), default=0)
