// Runs: the tasks that this process is busy with, from the claim to the recorded outcome.

import { setTimeout as sleep } from 'node:timers/promises';
import { Unavailable } from '../pool.mjs';
import { perform } from './jobs.mjs';

const RETRY_MS = { locked: 50, trouble: 250 };

const LOST = Symbol('somebody else has the task, or it was deleted');
const NO_TIME = Symbol('the worker has to stop');

const keyOf = ({ id, attempts }) => `${id}/${attempts}`; // a task may come back while its lost run still ends

// What every log line about a task says of it.
export const describe = ({ id, title, request_id }) => ({
  task_id: id,
  task_title: title,
  ...(request_id && { request_id }),
});

// `onEnd()` is called whenever a run has ended.
export function makeRuns(queue, log, onEnd) {
  const runs = new Map();

  // Everything from start to end. Never rejects.
  async function live(task, run) {
    const started = performance.now();
    const fields = describe(task);
    log.info('task claimed', { ...fields, type: task.type, attempt: task.attempts });
    const outcome = await perform(task, run.abort.signal);
    run.outcomeKnown = true;
    const state = await record(task, run, outcome);
    const duration_ms = Math.round(performance.now() - started);
    if (state === 'lost') log.warning('task lost: it is not this worker\'s any more', { ...fields, duration_ms });
    else if (!outcome) log.warning('task given back', { ...fields, duration_ms });
    else if (outcome.error === undefined) log.info('task completed', { ...fields, duration_ms });
    else log.warning('task failed', { ...fields, duration_ms, error: outcome.error });
  }

  // Write the outcome, or that there is none, for as long as it takes.
  async function record(task, run, outcome) {
    for (;;) {
      if (run.abort.signal.reason === LOST) return 'lost';
      let pause = RETRY_MS.locked;
      try {
        const state = await (outcome ? queue.finish(task, outcome) : queue.giveBack(task));
        if (state !== 'locked') return state;
      } catch (error) {
        const report = error instanceof Unavailable ? log.warning : log.error;
        report('outcome not recorded yet', { ...describe(task), error: error.message });
        pause = RETRY_MS.trouble;
      }
      await sleep(pause);
    }
  }

  return {
    get size() {
      return runs.size;
    },

    has: (task) => runs.has(keyOf(task)),

    // A task claimed too late (`stopping`) goes back at once.
    start(task, stopping) {
      const run = { since: performance.now(), abort: new AbortController(), outcomeKnown: false };
      if (stopping) run.abort.abort(NO_TIME);
      runs.set(keyOf(task), run);
      run.end = live(task, run).then(() => {
        runs.delete(keyOf(task));
        onEnd();
      });
    },

    // Give up all runs that had begun at `when` and are not among `mine`.
    keepOnly(mine, when) {
      const kept = new Set(mine.map(keyOf));
      for (const [key, run] of runs) {
        if (run.since < when && !kept.has(key) && !run.outcomeKnown) run.abort.abort(LOST);
      }
    },

    // Interrupt what still runs.
    interrupt() {
      for (const run of runs.values()) run.abort.abort(NO_TIME);
    },

    // Resolves when all present runs have ended.
    allEnded: () => Promise.all([...runs.values()].map((run) => run.end)),
  };
}
