/** The admin listener: an HTTP server of its own, off unless the configuration has `admin`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GatewrightError } from '@gatewright/kernel';
import type { Gateway } from '../gateway.ts';
import { listen, onClientError } from '../http/listen.ts';
import { createRouter, shownPath } from '../http/router.ts';
import { sendError } from '../http/send.ts';
import { toHttpError } from '../http-errors.ts';
import { refusalLog, requireAdmin } from '../identity/administration.ts';
import type { Actor } from '../identity/audit.ts';
import type { Principal } from '../identity/principal.ts';
import type { Log } from '../log.ts';
import { redact } from '../redact.ts';
import { actorOf } from './endpoint.ts';
import * as endpoints from './endpoints/index.ts';
import { adminGate } from './gate.ts';

/** An admin listener that listens. */
export interface AdminServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Managers are few. */
const MOST_CONNECTIONS = 100;
const REFUSALS = new Set([401, 403, 429]);

/**
 * Starts the admin listener.
 *
 * @throws {GatewrightError} `GW_UNSAFE_BIND`, `GW_PORT_IN_USE`, `GW_LISTEN`
 */
export async function serveAdmin(
  gateway: Gateway,
  settings: NonNullable<Gateway['runtime']['config']['admin']>,
  env: Readonly<Record<string, string | undefined>>,
  log: Log,
): Promise<AdminServer> {
  const { keys, audit } = gateway.identity;
  const gate = adminGate(settings, env, keys);
  if (!gate.isUsable)
    log('warn', `nobody may use the admin listener yet: create a key of role admin, or set ${settings.tokenEnv}`);
  const context = { gateway, log };
  const router = createRouter(Object.values(endpoints).map((endpoint) => endpoint(context)));
  const refusals = refusalLog(audit);
  const server = createServer(
    { maxHeaderSize: 16_384, keepAliveTimeout: 5_000, headersTimeout: 10_000, requestTimeout: 30_000 },
    (request, response) => void handle(request, response),
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.on('clientError', onClientError);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let principal: Principal | undefined;
    try {
      const target = request.url ?? '/';
      // Who asks comes before what there is: a stranger learns no path.
      principal = gate.check(request);
      requireAdmin(principal.roles, principal.name);
      const question = target.indexOf('?');
      const path = question < 0 ? target : target.slice(0, question);
      const url = new URL(question < 0 ? '' : target.slice(question), 'http://gateway/');
      const found = router.find(path);
      if (found === undefined)
        throw new GatewrightError('GW_NOT_FOUND', `There is no ${shownPath(path)} here.`, {
          fix: `Known: ${router.paths.join(', ')}.`,
        });
      const { methods } = found.route;
      const handler = Object.hasOwn(methods, request.method ?? '') ? methods[request.method!] : undefined;
      if (handler === undefined)
        throw new GatewrightError('GW_METHOD', `${shownPath(path)} does not take ${request.method}.`, {
          fix: `Use ${Object.keys(methods).join(' or ')}.`,
          facts: { allow: Object.keys(methods).join(', ') },
        });
      await handler({ request, response, url, params: found.params, principal });
    } catch (error) {
      const httpError = toHttpError(error);
      gateway.metrics.refused(httpError.code);
      if (REFUSALS.has(httpError.status)) {
        const stranger: Actor = { ...actorOf({ request, principal: NOBODY }), key: 'unknown', name: 'unknown' };
        refusals.refused(
          principal === undefined ? stranger : actorOf({ request, principal }),
          'admin.request',
          httpError.code,
        );
      }
      if (httpError.status >= 500)
        log('error', 'admin request failed', {
          code: httpError.code,
          error: httpError.code === 'GW_INTERNAL' && error instanceof Error ? redact(error.stack ?? '') : undefined,
        });
      sendError(response, httpError);
      if (!request.complete) request.destroy();
    }
  }

  await listen(server, settings.host, settings.port, 'admin');
  const { port } = server.address() as AddressInfo;
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
  return {
    url: `http://${host === '0.0.0.0' || host === '[::]' ? '127.0.0.1' : host}:${port}`,
    port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      refusals.flush();
    },
  };
}

const NOBODY = { keyId: 'unknown', name: 'unknown' } as Principal;
