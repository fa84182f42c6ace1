-- up
CREATE DOMAIN task_title AS text
    CONSTRAINT task_title_length CHECK (char_length(VALUE) BETWEEN 1 AND 200);

CREATE DOMAIN task_status AS text
    CONSTRAINT task_status_known CHECK (VALUE IN ('pending', 'processing', 'completed', 'failed'));

CREATE TABLE tasks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title task_title NOT NULL,
    description text NOT NULL DEFAULT '',
    status task_status NOT NULL DEFAULT 'pending',
    type text NOT NULL DEFAULT 'noop',
    payload jsonb NOT NULL DEFAULT '{}',
    result json,
    error text,
    attempts integer NOT NULL DEFAULT 0,
    request_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX tasks_in_order ON tasks (created_at, id);

-- down
DROP TABLE tasks;
DROP DOMAIN task_status;
DROP DOMAIN task_title;
