-- up
ALTER TABLE tasks ALTER COLUMN priority SET DEFAULT 0;

-- commit: with the table still locked exclusively, nobody could work while its rows are rewritten
UPDATE tasks SET priority = 0 WHERE priority IS NULL;

-- commit: the lock comes first, because asking for a stronger one later is how deadlocks are made
LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE;
UPDATE tasks SET priority = 0 WHERE priority IS NULL;
UPDATE tasks SET priority = greatest(least(priority, 100), -100) WHERE priority NOT BETWEEN -100 AND 100;
ALTER TABLE tasks
    ALTER COLUMN priority SET NOT NULL,
    ADD CONSTRAINT tasks_priority_range CHECK (priority BETWEEN -100 AND 100);
CREATE INDEX tasks_waiting ON tasks (priority DESC, created_at, id) WHERE status = 'pending';

-- down
DROP INDEX tasks_waiting;
ALTER TABLE tasks
    DROP CONSTRAINT tasks_priority_range,
    ALTER COLUMN priority DROP NOT NULL,
    ALTER COLUMN priority DROP DEFAULT;
