// What both services share: how a process starts, what it does with surprises, and how it is told to stop.

import { once } from 'node:events';
import { logger } from './log.mjs';
import { Pool, Unavailable } from './pool.mjs';
import { readSettings, SettingsError } from './settings.mjs';

const START_MS = 8_000; // until a database that says nothing counts as out of reach

// Read the settings, reach the database, run `serve({settings, log, pool, stop})`, exit.
// `stop` is an AbortSignal: SIGTERM or SIGINT was received. Further ones say nothing new.
export async function run(service, variables, poolOptions, serve) {
  process.stdout.on('error', () => {}); // nobody reads the log any more: no reason to stop
  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => stopping.abort());

  const settings = settingsOrExit(service, variables);
  const log = logger(service, settings);
  process.removeAllListeners('warning').on('warning', (warning) => log.warning(warning.message));
  process.on('uncaughtException', (error) => {
    log.critical('stopped by a defect', { error: String(error?.stack ?? error) });
    process.exit(1);
  });

  const pool = new Pool(settings.DATABASE_URL, { max: settings.DB_POOL_MAX, ...poolOptions(settings) });
  await Promise.race([reach(pool, log), aborted(stopping.signal)]);
  await serve({ settings, log, pool, stop: stopping.signal });
  await pool.close();
  process.exit(0);
}

// Resolves when the signal is aborted, at once if it is already.
export async function aborted(signal) {
  if (!signal.aborted) await once(signal, 'abort');
}

export function settingsOrExit(service, variables) {
  try {
    return readSettings(variables);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(`${service} cannot start: ${error.message}`);
    return process.exit(2);
  }
}

async function reach(pool, log) {
  try {
    await pool.query('SELECT 1', [], { within: START_MS });
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    log.critical('cannot start without the database', { error: error.message });
    process.exit(1);
  }
}
