import contextlib
import os

import psycopg

with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    name, role = connection.info.dbname, connection.info.user
    own = "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = CURRENT_USER AND datname <> %s"
    siblings = [other for (other,) in connection.execute(own, [name]).fetchall()]
    for statement in (
        f'ALTER ROLE "{role}" SET search_path = nowhere',
        f'ALTER ROLE "{role}" SET default_transaction_read_only = on',
        f"ALTER DATABASE \"{name}\" SET statement_timeout = '1ms'",
        f'ALTER DATABASE "{name}" SET default_transaction_read_only = on',
        f"COMMENT ON DATABASE \"{name}\" IS 'template of postgres'",
        f'ALTER DATABASE "{name}" RENAME TO mine',
        f'ALTER DATABASE "{name}" IS_TEMPLATE true',
        f'ALTER DATABASE "{name}" CONNECTION LIMIT 0',
        *(f'ALTER DATABASE "{other}" ALLOW_CONNECTIONS false' for other in siblings),
        f"ALTER ROLE \"{role}\" PASSWORD 'changed'",
    ):
        with contextlib.suppress(psycopg.Error):
            connection.execute(statement)
            print("that worked:", statement, flush=True)
