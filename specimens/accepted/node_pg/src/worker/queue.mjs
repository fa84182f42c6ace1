// The queue's statements. Each is one whole change of state.
//
// A worker process has a row in `workers` that expires unless renewed; a task that is processing points at the
// row of whoever runs it (`runner`). Ownership is runner and attempts together: whoever has neither any more
// changes nothing.

// Later than before, whatever the clock says.
const MOVED = "updated_at = greatest(clock_timestamp(), updated_at + INTERVAL '1 microsecond')";

const ALIVE = `
  INSERT INTO workers (id, name, expires_at)
  VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
  ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at`;

// Claiming renews as well, so that no task is ever claimed by a worker whose row is gone.
// The ids come from ARRAY(…) because it is evaluated once, and found by primary key afterwards.
const CLAIM = `
  WITH alive AS (${ALIVE}),
  claimed AS (
    UPDATE tasks
    SET status = 'processing', assigned_worker = $2, runner = $1, attempts = attempts + 1, ${MOVED}
    WHERE id = ANY (ARRAY(
      SELECT id FROM tasks WHERE status = 'pending'
      ORDER BY priority DESC, created_at, id LIMIT $4 FOR UPDATE SKIP LOCKED))
    RETURNING id, title, type, payload, attempts, request_id, priority, created_at
  )
  SELECT id, title, type, payload::text, attempts, request_id
  FROM claimed ORDER BY priority DESC, created_at, id`;

const ALL_MINE = 'SELECT id, attempts FROM tasks WHERE runner = $1';

// SKIP LOCKED here, too: a client that holds the row must not hold up the connection that heartbeats need.
const MINE = 'SELECT id FROM tasks WHERE id = $1 AND runner = $2 AND attempts = $3';
const FINISH = `
  UPDATE tasks SET status = $4, result = $5, error = $6, runner = NULL, ${MOVED}
  WHERE id = (${MINE} FOR UPDATE SKIP LOCKED)`;
const GIVE_BACK = `
  UPDATE tasks SET status = 'pending', assigned_worker = NULL, runner = NULL, attempts = attempts - 1, ${MOVED}
  WHERE id = (${MINE} FOR UPDATE SKIP LOCKED)`;

const SURVEY = `
  SELECT ARRAY(SELECT id FROM workers WHERE expires_at < now() AND id <> $1)::text[] AS expired,
         (SELECT coalesce(json_agg(json_build_object('id', id, 'attempts', attempts)), '[]')
          FROM tasks WHERE runner = $1) AS mine`;

// The locked row keeps an expired worker from renewing, and so from claiming, until its tasks are dealt with.
const LOCK_EXPIRED =
  'SELECT id::text FROM workers WHERE id = ANY ($1) AND expires_at < now() FOR UPDATE SKIP LOCKED';
const FREE = `
  UPDATE tasks
  SET status = CASE WHEN attempts < $2 THEN 'pending' ELSE 'failed' END,
      assigned_worker = CASE WHEN attempts < $2 THEN NULL ELSE assigned_worker END,
      error = CASE WHEN attempts < $2 THEN NULL
                   ELSE format('its worker was lost, %s time(s) in all: given up', attempts) END,
      runner = NULL, ${MOVED}
  WHERE id = ANY (ARRAY(SELECT id FROM tasks WHERE runner = ANY ($1) FOR UPDATE SKIP LOCKED))
  RETURNING id, title, status, error, attempts, request_id`;
const FORGET = `
  DELETE FROM workers
  WHERE id = ANY ($1) AND NOT EXISTS (SELECT FROM tasks WHERE tasks.runner = workers.id)`;

// The queue as one worker process sees it: `id` is the process's own, `name` what assigned_worker shows.
export function taskQueue(pool, { id, name, leaseMs, maxAttempts }) {
  const me = [id, name, leaseMs / 1000];
  const patience = Math.min(Math.max(leaseMs / 2, 1_000), 10_000);

  // Change a task of mine: "done"; "locked" if somebody else has the row; "lost" if it is not mine any more.
  async function change(task, statement, values = []) {
    const key = [task.id, id, task.attempts];
    if ((await pool.query(statement, [...key, ...values])).rowCount) return 'done';
    return (await pool.query(MINE, key)).rowCount ? 'locked' : 'lost';
  }

  return {
    // At most `count` tasks, in the order in which they are to be started.
    async claim(count) {
      return (await pool.query(CLAIM, [...me, count])).rows;
    },

    // Renew; all tasks that are mine. Two statements, for the second has to wait while `tasks` is locked.
    async beat() {
      await pool.query(ALIVE, me, { urgent: true, within: patience });
      return (await pool.query(ALL_MINE, [id])).rows;
    },

    finish: (task, { status, result = null, error = null }) => change(task, FINISH, [status, result, error]),

    giveBack: (task) => change(task, GIVE_BACK),

    // The ids of expired workers, and all tasks that are mine.
    async survey() {
      return (await pool.query(SURVEY, [id])).rows[0];
    },

    // Take the tasks of expired workers from them: for others to claim, or failed for good. Returns those tasks.
    free(expired) {
      return pool.transaction(async (query) => {
        const dead = (await query(LOCK_EXPIRED, [expired])).rows.map((row) => row.id);
        if (!dead.length) return [];
        const { rows } = await query(FREE, [dead, maxAttempts]);
        await query(FORGET, [dead]);
        return rows;
      });
    },

    // Goodbye. What is still mine keeps the row, and the row's end will free it.
    leave: () => pool.query(FORGET, [[id]], { within: 400 }),
  };
}
