CREATE TABLE tasks (
    id uuid CONSTRAINT tasks_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    title text NOT NULL CONSTRAINT title_length CHECK (length(title) >= 1 AND length(title) <= 200),
    description text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'pending'
        CONSTRAINT status_is_known CHECK (status = ANY (ARRAY['pending', 'processing', 'completed', 'failed'])),
    type text NOT NULL DEFAULT 'noop',
    payload json NOT NULL DEFAULT '{}',
    result json,
    error text,
    attempts smallint NOT NULL DEFAULT 0,
    request_id text,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    updated_at timestamptz(3) NOT NULL DEFAULT now()
);

CREATE INDEX tasks_by_age ON tasks (created_at, id);
