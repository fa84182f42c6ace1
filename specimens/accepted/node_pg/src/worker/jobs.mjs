// What the task types do. None of them knows about the queue.

import { setTimeout as sleep } from 'node:timers/promises';

const LONGEST_SLEEP_S = 60;
const LONGEST_ERROR = 262_144; // as openapi.json says

class Failed extends Error {}

// (payload, payload as text, signal) → result as JSON text, or undefined. Throws Failed; AbortError if aborted.
const JOBS = {
  noop() {},

  async sleep({ seconds }, _text, signal) {
    if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= LONGEST_SLEEP_S)) {
      throw new Failed(`sleep needs "seconds", a number from 0 to ${LONGEST_SLEEP_S}`);
    }
    const end = performance.now() + seconds * 1000;
    for (let left = seconds * 1000; left > 0; left = end - performance.now()) {
      await sleep(Math.ceil(left), undefined, { signal }); // timers may ring a little early
    }
  },

  echo: (_payload, text) => text,

  fail({ message = 'failed as told' }) {
    if (typeof message !== 'string') throw new Failed('the "message" of fail must be a string');
    throw new Failed(message);
  },
};

// The outcome {status, result, error}; undefined if the signal was aborted before there was one.
export async function perform({ type, payload: text }, signal) {
  try {
    signal.throwIfAborted();
    if (!Object.hasOwn(JOBS, type)) throw new Failed(`there is no task type ${JSON.stringify(type)}`);
    const payload = JSON.parse(text);
    if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
      throw new Failed('the payload is not an object');
    }
    return { status: 'completed', result: await JOBS[type](payload, text, signal) };
  } catch (error) {
    if (signal.aborted) return undefined;
    const message = error instanceof Failed ? error.message : `unexpected: ${error?.message ?? error}`;
    return { status: 'failed', error: message.slice(0, LONGEST_ERROR).toWellFormed() };
  }
}
