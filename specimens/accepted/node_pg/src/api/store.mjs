// Tasks in PostgreSQL, as clients see them: every function answers with JSON that the database has written.

const TASK = `json_build_object(
  'id', id, 'title', title, 'description', description, 'status', status, 'priority', coalesce(priority, 0),
  'type', type, 'payload', payload, 'result', result, 'error', error, 'attempts', attempts,
  'assigned_worker', assigned_worker, 'request_id', request_id,
  'created_at', created_at, 'updated_at', updated_at)`;

// The id is the service's, so that the same INSERT again makes no second task.
const CREATE = `
  INSERT INTO tasks (id, title, description, priority, type, payload, request_id)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (id) DO UPDATE SET id = excluded.id
  RETURNING ${TASK}::text AS task`;

const READ = `SELECT ${TASK}::text AS task FROM tasks WHERE id = $1`;

// A microsecond more than before, should the clock stand still or go back.
const REPLACE = `
  UPDATE tasks
  SET title = $2, description = $3, priority = $4, type = $5, payload = $6,
      updated_at = greatest(clock_timestamp(), updated_at + INTERVAL '1 microsecond')
  WHERE id = $1
  RETURNING ${TASK}::text AS task`;

const REMOVE = 'DELETE FROM tasks WHERE id = $1';

const LIST = (filter) => `
  SELECT (SELECT count(*) FROM tasks ${filter})::text AS total,
         (SELECT coalesce(json_agg(${TASK} ORDER BY created_at, id), '[]')
          FROM (SELECT * FROM tasks ${filter} ORDER BY created_at, id LIMIT $1 OFFSET $2) AS page)::text AS tasks`;
const LIST_ALL = LIST('');
const LIST_STATUS = LIST('WHERE status = $3');

export function store(pool) {
  const one = async (text, values) => (await pool.steadily(() => pool.query(text, values))).rows[0];

  return {
    async create(id, { title, description, priority, type, payload }, requestId) {
      const values = [id, title, description, priority, type, JSON.stringify(payload), requestId];
      return (await one(CREATE, values)).task;
    },

    // undefined: there is no such task.
    async read(id) {
      return (await one(READ, [id]))?.task;
    },

    async replace(id, { title, description, priority, type, payload }) {
      return (await one(REPLACE, [id, title, description, priority, type, JSON.stringify(payload)]))?.task;
    },

    // Whether there was one. Only a COMMIT that nobody confirmed leaves that open, and then the row was seen.
    async remove(id) {
      let seen = false;
      await pool.steadily(() =>
        pool.transaction(async (query) => {
          const { rowCount } = await query(REMOVE, [id]);
          seen ||= rowCount === 1;
        }),
      );
      return seen;
    },

    async list({ page, limit, status }) {
      const values = [limit, (page - 1) * limit];
      return status === null ? one(LIST_ALL, values) : one(LIST_STATUS, [...values, status]);
    },
  };
}
