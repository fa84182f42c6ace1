// From a request to an answer: path, method, size, media type, handler, in this order.

import { answer, JSON_TYPE, Refusal } from './answers.mjs';

const LARGEST_BODY = 65_536;

// A function (request, requestId) → answer. It throws Refusal, or whatever a handler throws.
export function router(table) {
  return async (request, requestId) => {
    const [target, ...search] = request.url.replace(/^https?:\/\/[^/?]*/i, '').split('?');
    const { methods, params } = find(table, target);
    const handler = Object.hasOwn(methods, request.method) && methods[request.method];
    if (!handler) return otherMethod(request.method, methods);
    const body = ['POST', 'PUT'].includes(request.method) ? await jsonBody(request) : undefined;
    return handler({ params, search: search.join('?'), body, requestId });
  };
}

function find(table, target) {
  const segments = target.split('/').slice(1).map(decoded);
  for (const [pattern, methods] of table) {
    const fits = (part, index) => (part === ':id' ? segments[index] : part === segments[index]);
    if (pattern.length === segments.length && pattern.every(fits)) {
      return { methods, params: { id: segments[1] } };
    }
  }
  throw new Refusal(404, 'There is no such path.');
}

// What cannot be decoded stays as it is, and is no path or id of ours.
function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function otherMethod(method, methods) {
  const allow = { Allow: Object.keys(methods).join(', ') };
  if (method === 'OPTIONS') return answer(204, undefined, allow);
  throw new Refusal(405, 'This path does not know that method.', [], allow);
}

async function jsonBody(request) {
  const bytes = await readBody(request);
  const [type] = (request.headers['content-type'] ?? '').split(';');
  if (type.trim().toLowerCase() !== JSON_TYPE) throw new Refusal(415, `Send ${JSON_TYPE}.`);
  return bytes;
}

// All of the body; if it is too large, Refusal as soon as that is known. node:http throws the rest away.
function readBody(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    const refuse = () => {
      request.off('data', collect).resume();
      reject(new Refusal(413, `The body is larger than ${LARGEST_BODY} bytes.`));
    };
    const collect = (chunk) => {
      size += chunk.length;
      if (size > LARGEST_BODY) refuse();
      else chunks.push(chunk);
    };
    if (Number(request.headers['content-length'] ?? 0) > LARGEST_BODY) {
      refuse();
      return;
    }
    request.on('data', collect);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', () => {});
    request.once('close', () => reject(new Refusal(400, 'The body did not arrive.')));
  });
}
