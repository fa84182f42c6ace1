// The envelope, and the errors that end up in it.

export const JSON_TYPE = 'application/json';

const CODES = {
  400: 'invalid_request',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  500: 'internal',
  503: 'unavailable',
};

// An answer: status, body as text (undefined: none), further headers.
export const answer = (status, body, headers = {}) => ({ status, body, headers });

// `data` and `meta` are JSON texts already.
export function success(status, data, { meta, headers } = {}) {
  return answer(status, `{"data":${data},"error":null${meta ? `,"meta":${meta}` : ''}}`, headers);
}

export function failure(status, message, details = [], headers = {}) {
  return answer(status, JSON.stringify({ data: null, error: { code: CODES[status], message, details } }), headers);
}

// Thrown anywhere below the router to end a request with that answer.
export class Refusal extends Error {
  constructor(status, message, details, headers) {
    super(message);
    this.answer = failure(status, message, details, headers);
  }
}

export const invalid = (details, message = 'The request is not valid.') => new Refusal(400, message, details);
