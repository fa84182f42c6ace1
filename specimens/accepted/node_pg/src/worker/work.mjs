// The worker's loop: claim what there is room for, renew while there is work, free what dead workers hold, stop.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Unavailable } from '../pool.mjs';
import { makeBell } from './bell.mjs';
import { taskQueue } from './queue.mjs';
import { describe, makeRuns } from './runs.mjs';

const FOREVER_MS = 2 ** 31 - 1;
const TROUBLE_MS = 500; // between tries while the database is in trouble
const LAST_WORDS_MS = 3_000; // after SHUTDOWN_TIMEOUT, for giving back what was interrupted

export async function work({ settings, name, log, pool, stop }) {
  const { WORKER_POLL_INTERVAL: pollMs, WORKER_LEASE: leaseMs, WORKER_CONCURRENCY: room } = settings;
  const queue = taskQueue(pool, { id: randomUUID(), name, leaseMs, maxAttempts: settings.WORKER_MAX_ATTEMPTS });
  const bell = makeBell();
  const runs = makeRuns(queue, log, bell.ring);
  let surveyed = -Infinity;
  let trouble; // why the last claim failed, if it did

  stop.addEventListener('abort', bell.ring);
  log.info('working', { worker: name });
  beating();
  const loop = claiming();
  await waitForStop();
  await ending();

  // Returns when told to stop. One statement at a time, so that a claim is never doubtful for two reasons.
  async function claiming() {
    while (!stop.aborted) {
      bell.silence(); // whatever rang before, the next claim takes it into account
      await bell.wait(await pauseAfterClaim());
    }
  }

  // Claim; how long to wait for the next time unless something happens before.
  async function pauseAfterClaim() {
    const free = room - runs.size;
    if (!free) return FOREVER_MS;
    try {
      if (performance.now() - surveyed >= Math.min(pollMs, leaseMs) - 1) await survey();
      const tasks = stop.aborted ? [] : await queue.claim(free);
      for (const task of tasks) runs.start(task, stop.aborted);
      if (trouble) log.info('claiming again');
      trouble = undefined;
      return tasks.length === free ? FOREVER_MS : pollMs;
    } catch (error) {
      surveyed = -Infinity; // the claim may have come to pass without our knowing
      const report = error instanceof Unavailable ? log.warning : log.error;
      if (trouble !== error.message) report('cannot claim', { error: error.message });
      trouble = error.message;
      return Math.min(pollMs, TROUBLE_MS);
    }
  }

  // Give back what is mine without my knowing; free the tasks of expired workers.
  async function survey() {
    const { expired, mine } = await queue.survey();
    for (const task of mine) if (!runs.has(task)) await queue.giveBack(task);
    const freed = expired.length ? await queue.free(expired) : [];
    for (const task of freed) {
      const fields = { ...describe(task), attempts: task.attempts };
      if (task.status === 'failed') log.warning('task failed', { ...fields, error: task.error });
      else log.warning('task freed: its worker was lost', fields);
    }
    surveyed = performance.now();
  }

  // Renew three times a lease while there is something to lose.
  async function beating() {
    for (;;) {
      await sleep(leaseMs / 3, undefined, { ref: false });
      while (runs.size) {
        const when = performance.now();
        try {
          runs.keepOnly(await queue.beat(), when);
          break;
        } catch (error) {
          log.warning('heartbeat failed', { error: error.message });
          await sleep(Math.min(leaseMs / 10, TROUBLE_MS));
        }
      }
    }
  }

  function waitForStop() {
    return stop.aborted || new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
  }

  async function ending() {
    log.info('stopping', { running: runs.size });
    const ended = loop.then(() => runs.allEnded());
    await within(settings.SHUTDOWN_TIMEOUT, ended);
    runs.interrupt();
    await within(LAST_WORDS_MS, ended);
    if (!trouble) await queue.leave().catch(() => {});
    log.info('stopped', { left_to_others: runs.size });
  }
}

// Wait for the promise, but not longer.
async function within(milliseconds, promise) {
  const enough = new AbortController();
  const timeout = sleep(milliseconds, undefined, { signal: enough.signal }).catch(() => {});
  await Promise.race([promise, timeout]);
  enough.abort();
}
