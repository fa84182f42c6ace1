// The HTTP server: request ids, the envelope around everything, one log line a request, and a decent end.

import { randomUUID } from 'node:crypto';
import { createServer, STATUS_CODES } from 'node:http';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { Unavailable } from '../pool.mjs';
import { failure, JSON_TYPE, Refusal } from './answers.mjs';

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;
const KEEP_ALIVE_MS = 75_000;

// `route(request, requestId)` makes the answers.
export function httpServer(route, log) {
  const pending = new Map(); // response → request
  let stopping = false;
  const options = { keepAliveTimeout: KEEP_ALIVE_MS, requireHostHeader: false };
  const server = createServer(options, respond);
  server.on('checkExpectation', respond);
  server.on('clientError', (error, socket) => unreadable(socket, failure(400, 'This is not a request.')));
  server.on('connect', (request, socket) => tunnel(request, socket));

  async function respond(request, response) {
    const started = performance.now();
    const given = request.headers['x-request-id'];
    const requestId = REQUEST_ID.test(given ?? '') ? given : randomUUID();
    pending.set(response, request);
    response.once('close', () => pending.delete(response));

    const { answer, error } = await outcome(route, request, requestId);
    if (!response.destroyed) {
      response.writeHead(answer.status, headersOf(answer, requestId, stopping));
      response.end(answer.body);
    }

    const [path] = request.url.split('?');
    const duration_ms = Math.round((performance.now() - started) * 1000) / 1000;
    const fields = { request_id: requestId, method: request.method, path, status: answer.status, duration_ms };
    if (answer.status >= 500) log.error('request failed', { ...fields, error });
    else log.info('request', fields);
  }

  // CONNECT never reaches respond(), and no path declares it.
  async function tunnel(request, socket) {
    socket.on('error', () => {});
    const requestId = randomUUID();
    const { answer } = await outcome(route, request, requestId);
    unreadable(socket, answer, requestId);
  }

  return {
    // Resolves when the port is open; the error is Node's.
    listen(port, host) {
      return new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    },

    // Accept nothing more, answer what has been received whole, for at most `patience` milliseconds.
    async stop(patience) {
      stopping = true;
      const over = AbortSignal.timeout(patience);
      server.close();
      await turn(); // a request may have arrived whole and not been looked at
      await turn();
      const unanswered = () => [...pending.values()].some((request) => request.complete);
      while (unanswered() && !over.aborted) await sleep(5);
      server.closeAllConnections();
    },
  };
}

// The answer, and for the log what went wrong on our side.
async function outcome(route, request, requestId) {
  try {
    return { answer: await route(request, requestId) };
  } catch (error) {
    if (error instanceof Refusal) return { answer: error.answer };
    if (error instanceof Unavailable) {
      return { answer: failure(503, 'The database cannot be reached.'), error: error.message };
    }
    const answer = failure(500, 'Something went wrong on our side.');
    return { answer, error: String(error?.stack ?? error) };
  }
}

function headersOf({ body, headers }, requestId, closing) {
  return {
    ...(body === undefined ? {} : { 'Content-Type': JSON_TYPE, 'Content-Length': Buffer.byteLength(body) }),
    ...headers,
    'X-Request-ID': requestId,
    ...(closing ? { Connection: 'close' } : {}),
  };
}

// An answer on a bare socket, and then the end of it.
function unreadable(socket, answer, requestId = randomUUID()) {
  if (!socket.writable) return;
  const headers = Object.entries(headersOf(answer, requestId, true)).map(([name, value]) => `${name}: ${value}\r\n`);
  const { status, body = '' } = answer;
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers.join('')}\r\n${body}`);
}
