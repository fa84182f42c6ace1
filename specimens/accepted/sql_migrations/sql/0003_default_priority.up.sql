-- For new rows only. The old ones come next, and none is added to them any more.
ALTER TABLE tasks ALTER COLUMN priority SET DEFAULT 0;
