// What a client may send: a rule for each field, path parameter and query parameter.

import { invalid } from './answers.mjs';

const STATUSES = ['pending', 'processing', 'completed', 'failed'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true });

const FIELDS = {
  title: {
    problem: (value) =>
      textProblem(value, 200) ?? (/\P{White_Space}/u.test(value) ? undefined : 'must not be blank'),
  },
  description: { standard: '', problem: (value) => textProblem(value, 2000) },
  priority: {
    standard: 0,
    problem: (value) =>
      Number.isInteger(value) && Math.abs(value) <= 100 ? undefined : 'must be an integer from -100 to 100',
  },
  type: {
    standard: 'noop',
    problem: (value) =>
      typeof value === 'string' && /^[a-z][a-z0-9_]{0,49}$/.test(value)
        ? undefined
        : 'must be 1 to 50 of a-z, 0-9 and _, a letter first',
  },
  payload: { standard: {}, problem: payloadProblem },
};

// The bytes of a body as a task's five fields, defaults filled in.
export function taskInput(bytes) {
  const body = parse(bytes);
  if (!isObject(body)) throw invalid([], 'The body must be a JSON object.');
  const details = Object.keys(body)
    .filter((name) => !Object.hasOwn(FIELDS, name))
    .map((name) => ({ field: shown(name), message: 'is not a field that a client sets' }));
  const task = {};
  for (const [name, { standard, problem }] of Object.entries(FIELDS)) {
    task[name] = Object.hasOwn(body, name) ? body[name] : standard;
    const message = task[name] === undefined ? 'is required' : problem(task[name]);
    if (message) details.push({ field: name, message });
  }
  if (details.length) throw invalid(details);
  return task;
}

export function taskId(text) {
  if (!UUID.test(text)) throw invalid([{ field: 'id', message: 'must be a UUID in its hyphenated form' }]);
  return text;
}

// page, limit and status (null: all) of a query string.
export function listQuery(search) {
  const query = new URLSearchParams(search);
  const details = [];
  const number = (name, standard, most) => {
    const given = query.get(name);
    if (given === null) return standard;
    const value = /^[0-9]+$/.test(given) ? Number(given) : 0;
    if (value < 1 || value > most) details.push({ field: name, message: `must be a number from 1 to ${most}` });
    return value;
  };
  const page = number('page', 1, 100_000);
  const limit = number('limit', 20, 100);
  const status = query.get('status');
  if (status !== null && !STATUSES.includes(status)) {
    details.push({ field: 'status', message: `must be one of ${STATUSES.join(', ')}` });
  }
  if (details.length) throw invalid(details);
  return { page, limit, status };
}

function parse(bytes) {
  try {
    return JSON.parse(STRICT_UTF8.decode(bytes));
  } catch (error) {
    const what = error instanceof SyntaxError ? 'JSON' : 'UTF-8';
    throw invalid([], `The body is not valid ${what}.`);
  }
}

function textProblem(value, most) {
  if (typeof value !== 'string') return 'must be a string';
  if (value.includes('\0') || !value.isWellFormed()) return 'must not hold U+0000 or a lone surrogate';
  if (value.length > most && [...value].length > most) return `must have at most ${most} characters`;
  return undefined;
}

function payloadProblem(payload) {
  if (!isObject(payload)) return 'must be an object';
  const entries = Object.entries(payload);
  if (entries.length > 50) return 'must have at most 50 entries';
  for (const [name, value] of entries) {
    if (!/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name)) return `must not have an entry named ${shown(name)}`;
    const problem = typeof value === 'string' ? textProblem(value, 1000) : scalarProblem(value);
    if (problem) return `${name} ${problem}`;
  }
  return undefined;
}

function scalarProblem(value) {
  if (value === null || typeof value === 'boolean' || Number.isFinite(value)) return undefined;
  return typeof value === 'number' ? 'is too large a number' : 'must be a string, number, boolean or null';
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const shown = (name) => name.slice(0, 100).toWellFormed();
