-- transaction: none
-- Five thousand rows at a time, so that nobody waits long for a row. What has been done is done: run it again.
DO $$
BEGIN
    LOOP
        UPDATE tasks SET priority = 0
        WHERE id IN (SELECT id FROM tasks WHERE priority IS NULL LIMIT 5000);
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END
$$;
