-- Idle workers listen. Once a statement, not once a row: commits that notify wait for each other.
CREATE FUNCTION announce_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY tasks_added;
    RETURN NULL;
END
$$;

CREATE TRIGGER tasks_announced AFTER INSERT ON tasks
    FOR EACH STATEMENT EXECUTE FUNCTION announce_tasks();
