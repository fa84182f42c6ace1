// The api-service.

import { aborted, run } from '../service.mjs';
import { router } from './router.mjs';
import { routes } from './routes.mjs';
import { httpServer } from './server.mjs';

const VARIABLES = [
  'DATABASE_URL', 'API_HOST', 'API_PORT', 'DB_POOL_MAX', 'SHUTDOWN_TIMEOUT', 'ENVIRONMENT', 'LOG_LEVEL', 'LOG_FORMAT',
];

// The server gives up a little earlier than the pool, so that no statement outlives its request.
const session = { statement_timeout: 12_000, application_name: 'flowforge-api' };

await run('api-service', VARIABLES, () => ({ session }), async ({ settings, log, pool, stop }) => {
  if (stop.aborted) return;
  const server = httpServer(router(routes(pool, settings.ENVIRONMENT)), log);
  try {
    await server.listen(settings.API_PORT, settings.API_HOST);
  } catch (error) {
    log.critical('cannot listen', { error: error.message });
    process.exit(1);
  }
  log.info('listening', { host: settings.API_HOST, port: settings.API_PORT });
  await aborted(stop);
  log.info('stopping');
  await server.stop(settings.SHUTDOWN_TIMEOUT);
  log.info('stopped');
});
