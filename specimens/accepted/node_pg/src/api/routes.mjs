// Paths, methods, and what each of them answers.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { answer, Refusal, success } from './answers.mjs';
import { healthOf } from './health.mjs';
import { store } from './store.mjs';
import { listQuery, taskId, taskInput } from './validation.mjs';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const description = readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8');

// [pattern, {method: handler}]; a handler gets {params, search, body, requestId} and makes an answer.
export function routes(pool, environment) {
  const tasks = store(pool);
  const healthy = healthOf(pool);
  const info = JSON.stringify({ name: 'flowforge', version, environment });

  return [
    [['health'], { GET: health }],
    [['info'], { GET: () => success(200, info) }],
    [['openapi.json'], { GET: () => answer(200, description) }],
    [['tasks'], { GET: list, POST: create }],
    [['tasks', ':id'], { GET: read, PUT: replace, DELETE: remove }],
  ];

  async function health() {
    await healthy();
    return success(200, '{"status":"ok","database":"up"}');
  }

  async function list({ search }) {
    const query = listQuery(search);
    const { total, tasks: page } = await tasks.list(query);
    return success(200, page, { meta: `{"page":${query.page},"limit":${query.limit},"total":${total}}` });
  }

  async function create({ body, requestId }) {
    const input = taskInput(body);
    const id = randomUUID();
    const task = await tasks.create(id, input, requestId);
    return success(201, task, { headers: { Location: `/tasks/${id}` } });
  }

  async function read({ params }) {
    return success(200, existing(await tasks.read(taskId(params.id))));
  }

  async function replace({ params, body }) {
    const id = taskId(params.id);
    return success(200, existing(await tasks.replace(id, taskInput(body))));
  }

  async function remove({ params }) {
    existing(await tasks.remove(taskId(params.id)));
    return answer(204);
  }
}

function existing(found) {
  if (!found) throw new Refusal(404, 'There is no such task.');
  return found;
}
