-- transaction: none
-- CONCURRENTLY lets everybody write on. A build that breaks off leaves a useless index: away with it first.
DROP INDEX CONCURRENTLY IF EXISTS tasks_queue;

CREATE INDEX CONCURRENTLY tasks_queue ON tasks (priority DESC, created_at, id) WHERE status = 'pending';
