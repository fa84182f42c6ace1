ALTER TABLE tasks DROP COLUMN priority;
ALTER TABLE tasks DROP COLUMN assigned_worker;
