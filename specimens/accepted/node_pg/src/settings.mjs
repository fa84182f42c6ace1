// The environment as frozen settings: every variable has a default and one function that reads it.

import connectionString from 'pg-connection-string';

const LONGEST_TIMER = 2 ** 31 - 1; // milliseconds; setTimeout fires at once when told to wait longer
const LARGEST_INTEGER = 2 ** 31 - 1; // PostgreSQL's integer
const UNITS = { ms: 1, s: 1000, m: 60_000 };

const VARIABLES = {
  DATABASE_URL: [undefined, databaseUrl],
  API_HOST: ['127.0.0.1', text],
  API_PORT: ['8080', port],
  DB_POOL_MAX: ['10', count],
  SHUTDOWN_TIMEOUT: ['10s', (value) => duration(value, 0)],
  WORKER_POLL_INTERVAL: ['5s', duration],
  WORKER_LEASE: ['30s', duration],
  WORKER_MAX_ATTEMPTS: ['3', count],
  WORKER_CONCURRENCY: ['1', count],
  WORKER_ID: ['', text],
  ENVIRONMENT: ['development', text],
  LOG_LEVEL: ['info', oneOf('debug', 'info', 'warn', 'error')],
  LOG_FORMAT: ['json', oneOf('json', 'pretty')],
};

export class SettingsError extends Error {}

// The named variables, as an object. SettingsError with one sentence for each that is wrong.
export function readSettings(names, environment = process.env) {
  const settings = {};
  const problems = [];
  for (const name of names) {
    const [standard, read] = VARIABLES[name];
    const value = environment[name] || standard;
    try {
      if (value === undefined) throw new SettingsError('is required and not set');
      settings[name] = read(value);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      problems.push(`${name} ${error.message}`);
    }
  }
  if (problems.length) throw new SettingsError(problems.join('; '));
  return Object.freeze(settings);
}

// What pg needs to know, from a libpq-style URL. No message repeats the URL: there may be a password in it.
function databaseUrl(value) {
  const wrong = new SettingsError('is not a URL like postgresql://user@host:5432/name');
  if (!/^postgres(ql)?:\/\//.test(value)) throw wrong;
  const optionalTls = /([?&])sslmode=(disable|allow|prefer)(&|$)/; // pg would insist on TLS for the last two
  try {
    const { host, port: given, user, password, database, options, ssl } = connectionString.parse(
      value.replace(optionalTls, '$1'),
    );
    if (given) port(String(given));
    return { host, port: given || undefined, user, password, database, options, ssl: ssl ?? false };
  } catch {
    throw wrong;
  }
}

function text(value) {
  if (value.length > 1024) throw new SettingsError('is longer than 1024 characters');
  return value;
}

function port(value) {
  const number = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > 65_535) throw new SettingsError('is not a port from 1 to 65535');
  return number;
}

function count(value) {
  if (!/^\d+$/.test(value) || Number(value) < 1) throw new SettingsError('is not a whole number from 1');
  return Math.min(Number(value), LARGEST_INTEGER);
}

// Milliseconds.
function duration(value, least = 1) {
  const [, number, unit] = /^(\d+)(ms|s|m)$/.exec(value) ?? [];
  if (!unit) throw new SettingsError('is not a whole number with ms, s or m');
  if (Number(number) < least) throw new SettingsError('must be above 0');
  return Math.min(Number(number) * UNITS[unit], LONGEST_TIMER);
}

function oneOf(...choices) {
  return (value) => {
    if (!choices.includes(value)) throw new SettingsError(`is none of ${choices.join(', ')}`);
    return value;
  };
}
