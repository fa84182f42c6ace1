// A pool of connections: never more than its maximum, first come first served, nothing dead is lent knowingly.

import pg from 'pg';

const CLOSE_MS = 500; // for a polite goodbye

// The database gave no answer: it refuses, is silent, has no room, or took too long.
export class Unavailable extends Error {}

// All connections were lent for as long as one could wait.
export class Busy extends Unavailable {}

// The connection died in use. Whether the statement took effect is unknown.
export class ConnectionLost extends Unavailable {}

export class Pool {
  #config;
  #max;
  #idle = [];
  #waiting = [];
  #open = 0; // lent, idle, being opened and being closed
  #alive = new Set();
  lastAnswer = -Infinity; // performance.now() when a statement last succeeded

  // `config` and `session` (timeouts and such) go to pg.Client.
  constructor(config, { max, session = {} }) {
    const options = [config.options, '-c timezone=UTC'].filter(Boolean).join(' ');
    this.#config = { ...config, ...session, options, keepAlive: true };
    this.#max = max;
  }

  // One statement. `within` milliseconds everything must be over; `urgent` ones jump the queue.
  query(text, values = [], options = {}) {
    return this.use((query) => query(text, values), options);
  }

  // Several statements in one transaction: `work(query)`.
  transaction(work, options = {}) {
    return this.use(async (query, client) => {
      await query('BEGIN');
      try {
        const result = await work(query);
        await query('COMMIT');
        return result;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) await query('ROLLBACK').catch(() => hangUp(client));
        throw error;
      }
    }, options);
  }

  // Lend a connection for `work(query, client)`.
  async use(work, { within = 15_000, urgent = false } = {}) {
    const deadline = performance.now() + within;
    const client = await this.#lend(deadline, urgent);
    let late = false;
    const hurry = () => ((late = true), hangUp(client));
    const timer = setTimeout(hurry, Math.max(deadline - performance.now(), 1));
    try {
      return await work((text, values) => this.#ask(client, text, values), client);
    } catch (error) {
      throw late ? new Unavailable(`no answer from the database within ${within} ms`) : error;
    } finally {
      clearTimeout(timer);
      this.#takeBack(client);
    }
  }

  // Do `work` again on a new connection if the one in use died, at most twice: for what may happen twice.
  async steadily(work) {
    for (let left = 2; ; left -= 1) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ConnectionLost) || !left) throw error;
        for (const client of this.#idle.splice(0)) bye(client); // they have probably gone the same way
      }
    }
  }

  async close() {
    for (const { fail } of this.#waiting.splice(0)) fail(new Unavailable('the service is stopping'));
    this.#idle.length = 0;
    await Promise.all([...this.#alive].map(bye));
  }

  async #lend(deadline, urgent) {
    if (this.#idle.length) return this.#idle.pop();
    if (this.#open < this.#max) this.#open += 1;
    else {
      const client = await this.#turn(deadline, urgent);
      if (client) return client;
    }
    return this.#connect(deadline);
  }

  // Wait for a connection, or for the right to open one (null).
  #turn(deadline, urgent) {
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== entry);
      };
      const entry = {
        give: (client) => (leave(), resolve(client)),
        fail: (error) => (leave(), reject(error)),
      };
      const timer = setTimeout(
        () => entry.fail(new Busy('no connection became free in time')),
        deadline - performance.now(),
      );
      if (urgent) this.#waiting.unshift(entry);
      else this.#waiting.push(entry);
    });
  }

  async #connect(deadline) {
    const patience = Math.max(Math.ceil(deadline - performance.now()), 1);
    const client = new pg.Client({ ...this.#config, connectionTimeoutMillis: patience });
    client.on('error', () => this.#forget(client)); // "end" follows
    try {
      await client.connect();
    } catch (error) {
      hangUp(client);
      this.#pass(null);
      throw new Unavailable(`no connection to the database: ${reason(error)}`, { cause: error });
    }
    this.#alive.add(client);
    client.once('end', () => {
      this.#alive.delete(client);
      this.#forget(client);
      this.#pass(null); // only now: until here the server may still count it
    });
    return client;
  }

  async #ask(client, text, values) {
    try {
      const result = await client.query(text, values);
      this.lastAnswer = performance.now();
      return result;
    } catch (error) {
      throw judged(error, client);
    }
  }

  #takeBack(client) {
    if (!this.#alive.has(client)) return;
    if (client.broken) bye(client);
    else this.#pass(client);
  }

  #forget(client) {
    client.broken = true;
    this.#idle = this.#idle.filter((other) => other !== client);
  }

  // Give a connection, or the room for one (null), to whoever is next.
  #pass(client) {
    const next = this.#waiting[0];
    if (next) next.give(client);
    else if (client) this.#idle.push(client);
    else this.#open -= 1;
  }
}

function judged(error, client) {
  if (!(error instanceof pg.DatabaseError)) {
    client.broken = true;
    return new ConnectionLost(`the connection to the database was lost: ${reason(error)}`, { cause: error });
  }
  if (error.severity === 'FATAL' || /^(57P|08)/.test(error.code)) {
    client.broken = true;
    return new ConnectionLost(`the database closed the connection: ${error.message}`, { cause: error });
  }
  const temporary = error.code.startsWith('53') || ['57014', '55P03'].includes(error.code); // no room, too slow
  return temporary ? new Unavailable(`the database gave up: ${error.message}`, { cause: error }) : error;
}

// Node reports a host with several addresses as an error of errors without a message.
function reason(error) {
  return error.errors?.map((inner) => inner.message).join(', ') || error.message || String(error.code);
}

function hangUp(client) {
  client.broken = true;
  client.connection.stream.destroy();
}

// Close a connection politely, or not at all politely after a while.
async function bye(client) {
  client.broken = true;
  const timer = setTimeout(() => hangUp(client), CLOSE_MS);
  await client.end().catch(() => {});
  clearTimeout(timer);
}
