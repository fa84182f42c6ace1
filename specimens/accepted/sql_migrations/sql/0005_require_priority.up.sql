ALTER TABLE tasks ADD CONSTRAINT priority_range CHECK (priority >= -100 AND priority <= 100);
ALTER TABLE tasks ALTER COLUMN priority SET NOT NULL;
