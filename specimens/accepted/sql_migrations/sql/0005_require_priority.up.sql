-- A null may have come in since the backfill: nothing forbade it until now.
ALTER TABLE tasks ADD CONSTRAINT priority_range CHECK (priority >= -100 AND priority <= 100);
UPDATE tasks SET priority = 0 WHERE priority IS NULL;
ALTER TABLE tasks ALTER COLUMN priority SET NOT NULL;
