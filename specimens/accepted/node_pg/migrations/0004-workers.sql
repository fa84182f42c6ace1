-- up
-- A row is a running worker process, not a name: whoever starts again under the same name is somebody else.
CREATE TABLE workers (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Set while a task is processing, and only then. A worker's row cannot go while it has tasks.
ALTER TABLE tasks ADD COLUMN runner uuid REFERENCES workers (id);
CREATE INDEX tasks_running ON tasks (runner) WHERE runner IS NOT NULL;

-- down
LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE;
-- Whatever runs right now is nobody's afterwards, and waits for another turn.
UPDATE tasks SET status = 'pending', assigned_worker = NULL WHERE status = 'processing' AND runner IS NOT NULL;
DROP INDEX tasks_running;
ALTER TABLE tasks DROP COLUMN runner;
DROP TABLE workers;
