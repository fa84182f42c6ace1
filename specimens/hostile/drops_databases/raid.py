import contextlib
import os

import psycopg

STATEMENTS = [
    "ALTER ROLE CURRENT_USER SUPERUSER CREATEDB CREATEROLE",
    "CREATE ROLE intruder LOGIN SUPERUSER",
    "CREATE DATABASE intruder",
    "GRANT pg_write_all_data TO CURRENT_USER",
    "ALTER SYSTEM SET max_connections = 3",
    "SELECT pg_reload_conf()",
    "COPY (SELECT 1) TO PROGRAM 'touch intruder'",
    "COPY (SELECT 1) TO '/tmp/intruder'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    "UPDATE pg_database SET datallowconn = false",
    "CREATE EXTENSION dblink",
    "CREATE TABLESPACE intruder LOCATION '/tmp'",
    "CREATE EVENT TRIGGER intruder ON ddl_command_start EXECUTE FUNCTION nothing()",
]

with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    databases = [name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()]
    roles = [name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()]
    own = connection.info.dbname
    statements = [
        *STATEMENTS,
        *(f'DROP DATABASE "{name}" WITH (FORCE)' for name in databases if name != own),
        *(f'DROP ROLE "{name}"' for name in roles),
        *(f'SET ROLE "{name}"' for name in roles if name != connection.info.user),
    ]
    for statement in statements:
        with contextlib.suppress(psycopg.Error):
            connection.execute(statement)
            print("that worked:", statement, flush=True)
    for name in databases:
        with contextlib.suppress(psycopg.Error):
            psycopg.connect(os.environ["DATABASE_URL"], dbname=name, connect_timeout=1).execute(
                "CREATE TABLE public.intruder ()"
            )
            print("came into", name, flush=True)
