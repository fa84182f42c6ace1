ALTER TABLE tasks DROP COLUMN worker_id;
DROP TABLE workers;
