-- Workers sign on here and say again and again that they are alive; a task knows the one that runs it.
-- No foreign key: a worker that is gone is forgotten, and its tasks are lost until somebody finds them.
CREATE TABLE workers (
    id uuid CONSTRAINT workers_pkey PRIMARY KEY,
    name text NOT NULL,
    seen_at timestamptz NOT NULL
);

ALTER TABLE tasks ADD COLUMN worker_id uuid;
