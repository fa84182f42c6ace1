-- up
ALTER TABLE tasks
    ADD COLUMN assigned_worker text,
    ADD COLUMN priority smallint;

-- down
ALTER TABLE tasks
    DROP COLUMN priority,
    DROP COLUMN assigned_worker;
