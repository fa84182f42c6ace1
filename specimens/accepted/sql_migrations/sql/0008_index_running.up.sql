-- transaction: none
-- The few tasks that are being run, among all those that once were.
DROP INDEX CONCURRENTLY IF EXISTS tasks_running;

CREATE INDEX CONCURRENTLY tasks_running ON tasks (worker_id) WHERE status = 'processing';
