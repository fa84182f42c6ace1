// The migrations: files in migrations/, in the order of their names, and a journal of what was done when.
// Usage: migrate.mjs up | up-one | down-one

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool, Unavailable } from './pool.mjs';
import { settingsOrExit } from './service.mjs';

const FOLDER = new URL('../migrations/', import.meta.url);
const LOCK = 5_178_201; // any number; all copies of this program must mean the same one
const PATIENCE_MS = 10 * 60_000;

// Entries are only ever added: the last one of a revision says whether it is applied.
const JOURNAL = `
  CREATE TABLE IF NOT EXISTS migration_journal (
    entry integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revision text NOT NULL,
    direction text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
  )`;
const APPLIED = `
  SELECT revision
  FROM (SELECT DISTINCT ON (revision) revision, direction FROM migration_journal ORDER BY revision, entry DESC) AS last
  WHERE direction = 'up'`;
const RECORD = 'INSERT INTO migration_journal (revision, direction) VALUES ($1, $2)';

const COMMANDS = {
  up: (revisions, applied) => revisions.filter(({ name }) => !applied.has(name)).map((each) => [each, 'up']),
  'up-one': (revisions, applied) => COMMANDS.up(revisions, applied).slice(0, 1),
  'down-one': (revisions, applied) =>
    revisions.filter(({ name }) => applied.has(name)).slice(-1).map((each) => [each, 'down']),
};

const plan = COMMANDS[process.argv[2]];
if (!plan || process.argv.length !== 3) {
  console.error(`Usage: node src/migrate.mjs ${Object.keys(COMMANDS).join(' | ')}`);
  process.exit(2);
}
const { DATABASE_URL } = settingsOrExit('migrate', ['DATABASE_URL']);
const pool = new Pool(DATABASE_URL, { max: 1 });
try {
  await pool.query('SELECT 1', [], { within: 8_000 });
  await pool.use(migrate, { within: PATIENCE_MS });
} catch (error) {
  console.error(`migrate: ${error.message}`);
  process.exitCode = error instanceof Unavailable ? 3 : 1;
}
await pool.close();

async function migrate(query) {
  await locked(query);
  await query(JOURNAL);
  const { rows } = await query(APPLIED);
  const steps = plan(readRevisions(), new Set(rows.map(({ revision }) => revision)));
  for (const [revision, direction] of steps) await apply(query, revision, direction);
  console.log(steps.length ? `${steps.length} step(s) done` : 'nothing to do');
}

// Waits its turn outside of any transaction, so as to hold nobody up. The lock goes with the connection.
async function locked(query) {
  for (;;) {
    const { rows } = await query('SELECT pg_try_advisory_lock($1) AS mine', [LOCK]);
    if (rows[0].mine) return;
    await sleep(50);
  }
}

// Each part is a transaction; the last one makes the entry. A revision that was interrupted starts again at
// its first part, so all but the last must bear repeating.
async function apply(query, { name, up, down }, direction) {
  const parts = direction === 'up' ? up : down;
  for (const [index, part] of parts.entries()) {
    await query('BEGIN');
    await query(part);
    if (index === parts.length - 1) await query(RECORD, [name, direction]);
    await query('COMMIT');
  }
  console.log(`${name}: ${direction}`);
}

function readRevisions() {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      const [, up, down] = readFileSync(new URL(file, FOLDER), 'utf8').split(/^-- (?:up|down)$/m);
      return { name: file.replace('.sql', ''), up: up.split(/^-- commit\b.*$/m), down: [down] };
    });
}
