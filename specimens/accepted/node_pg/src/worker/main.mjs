// The worker-service.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { run } from '../service.mjs';
import { work } from './work.mjs';

const VARIABLES = [
  'DATABASE_URL', 'DB_POOL_MAX', 'SHUTDOWN_TIMEOUT', 'WORKER_POLL_INTERVAL', 'WORKER_LEASE', 'WORKER_MAX_ATTEMPTS',
  'WORKER_CONCURRENCY', 'WORKER_ID', 'LOG_LEVEL', 'LOG_FORMAT',
];

// Whoever waits for a lock keeps the connection from heartbeats, so nobody may wait for long.
const session = ({ WORKER_LEASE }) => ({
  lock_timeout: Math.ceil(Math.min(Math.max(WORKER_LEASE / 4, 50), 5_000)),
  application_name: 'flowforge-worker',
});

await run('worker-service', VARIABLES, (settings) => ({ session: session(settings) }), (context) => {
  const name = context.settings.WORKER_ID || `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`;
  return work({ ...context, name });
});
