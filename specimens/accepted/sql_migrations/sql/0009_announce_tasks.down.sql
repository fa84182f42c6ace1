DROP TRIGGER tasks_announced ON tasks;
DROP FUNCTION announce_tasks();
