// One JSON object a line on stdout.

const LEVELS = ['debug', 'info', 'warning', 'error', 'critical'];

// Functions debug, info, warning, error and critical: (message, fields).
export function logger(service, { LOG_LEVEL, LOG_FORMAT }) {
  const least = LEVELS.indexOf(LOG_LEVEL === 'warn' ? 'warning' : LOG_LEVEL);
  const write = LOG_FORMAT === 'pretty' ? pretty : JSON.stringify;
  const log = {};
  LEVELS.forEach((level, rank) => {
    log[level] = (msg, fields = {}) => {
      if (rank < least) return;
      const line = write({ timestamp: new Date().toISOString(), level, msg, service, ...fields });
      process.stdout.write(`${line}\n`);
    };
  });
  return log;
}

function pretty({ timestamp, level, msg, service, ...fields }) {
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [timestamp.slice(11, 23), level.toUpperCase().padEnd(8), service, msg, ...rest].join(' ');
}
