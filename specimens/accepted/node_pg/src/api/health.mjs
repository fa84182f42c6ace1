// Does the database answer?

import { Busy } from '../pool.mjs';

const PATIENCE_MS = 4_000;

// A function that resolves if so and throws Unavailable if not. When all connections are busy for that long,
// what others were answered meanwhile counts.
export function healthOf(pool) {
  return async () => {
    const asked = performance.now();
    try {
      await pool.steadily(() => pool.query('SELECT 1', [], { within: PATIENCE_MS }));
    } catch (error) {
      if (!(error instanceof Busy) || pool.lastAnswer < asked) throw error;
    }
  };
}
