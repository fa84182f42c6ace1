-- Nullable and without defaults: only the catalogue changes, however many rows there are.
ALTER TABLE tasks ADD COLUMN assigned_worker text;
ALTER TABLE tasks ADD COLUMN priority smallint;
