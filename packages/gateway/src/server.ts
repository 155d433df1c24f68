/** The gateway on a socket: routes, limits, streams. The only file that knows `node:http`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GatewrightError } from '@gatewright/kernel';
import { serveAdmin } from './admin/server.ts';
import { guard } from './auth.ts';
import type { Route } from './endpoints/endpoint.ts';
import * as endpoints from './endpoints/index.ts';
import type { Gateway } from './gateway.ts';
import { listen, MAX_HEADER_BYTES, onClientError } from './http/listen.ts';
import { noteRequest } from './http/request-log.ts';
import { createRouter, shownPath } from './http/router.ts';
import { sendError } from './http/send.ts';
import { createPace } from './http/sse.ts';
import { toHttpError } from './http-errors.ts';
import { ANYONE, requireScope } from './identity/principal.ts';
import type { Log } from './log.ts';
import { redact } from './redact.ts';

/** A gateway that listens. */
export interface GatewayServer {
  readonly url: string;
  readonly port: number;
  /** Of the admin listener; undefined where there is none. */
  readonly adminUrl: string | undefined;
  /**
   * Stops taking requests, lets those under way finish, closes everything.
   * @param graceMs after this the connections still open are cut; default `server.graceMs`
   * @param drainMs before that, `/readyz` says 503 for so long while requests are still taken. Default 0
   */
  close(graceMs?: number, drainMs?: number): Promise<void>;
}

const IDLE_SWEEP_MS = 50;
/** A refused body up to this length is read past. */
const SKIPPED_BYTES = 65_536;

/**
 * Puts a gateway on a socket.
 *
 * @throws {GatewrightError} `GW_UNSAFE_BIND` if it would listen beyond loopback without a key; `GW_PORT_IN_USE`, `GW_LISTEN`
 */
export async function serve(
  gateway: Gateway,
  env: Readonly<Record<string, string | undefined>>,
  log: Log = () => {},
): Promise<GatewayServer> {
  const { server: settings, admin: adminSettings } = gateway.runtime.config;
  const gate = guard(settings, env, gateway.identity.keys);
  const context = { gateway, gate, log, pace: createPace() };
  const router = createRouter(Object.values(endpoints).map((endpoint) => endpoint(context)));
  let isDraining = false;
  let closing: Promise<void> | undefined;

  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: 65_000,
      headersTimeout: 30_000,
      requestTimeout: 120_000,
      noDelay: true,
    },
    (request, response) => {
      if (isDraining) response.setHeader('connection', 'close');
      void handle(request, response);
    },
  );
  server.maxConnections = settings.maxConnections;
  server.on('clientError', onClientError);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let route: Route | undefined;
    const notes = gateway.runtime.config.logs?.requests === true ? noteRequest(request, response, log) : undefined;
    try {
      const target = request.url ?? '/';
      const question = target.indexOf('?');
      const path = question < 0 ? target : target.slice(0, question);
      const found = router.find(path);
      if (found === undefined)
        throw new GatewrightError('GW_NOT_FOUND', `There is no ${shownPath(path)} here.`, {
          fix: `Known: ${router.paths.join(', ')}.`,
        });
      route = found.route;
      const handler =
        route.methods[request.method ?? ''] ??
        (request.method === 'HEAD' && path !== '/v1/live' ? route.methods['GET'] : undefined);
      if (handler === undefined)
        throw new GatewrightError('GW_METHOD', `${shownPath(path)} does not take ${request.method}.`, {
          fix: `Use ${Object.keys(route.methods).join(' or ')}.`,
          facts: { allow: Object.keys(route.methods).join(', ') },
        });
      const principal = route.isOpen ? ANYONE : gate.check(request);
      if (!route.isOpen) requireScope(principal, route.scope);
      // The URL is parsed only where somebody needs its query.
      const url = question < 0 ? NO_QUERY : new URL(target, 'http://gateway');
      await handler({
        request,
        response,
        url,
        params: found.params,
        principal,
        ...(notes === undefined ? {} : { notes }),
      });
    } catch (error) {
      const httpError = toHttpError(error);
      gateway.metrics.refused(httpError.code);
      if (notes !== undefined) notes.code = httpError.code;
      if (httpError.status >= 500)
        log('error', 'request failed', {
          code: httpError.code,
          error: httpError.code === 'GW_INTERNAL' ? stackOf(error) : undefined,
        });
      const isLeft = !request.complete && !skips(request);
      // Said in time, or a client that keeps connections sends its next request into one that is about to close.
      if (isLeft && !response.headersSent) response.setHeader('connection', 'close');
      sendError(response, route?.error === undefined ? httpError : { ...httpError, body: route.error(httpError) });
      // What is left of a refused body is not read: the connection ends here.
      if (isLeft) request.destroy();
    }
  }

  // The admin listener first: where it cannot begin, neither does the gateway.
  const admin = adminSettings === undefined ? undefined : await serveAdmin(gateway, adminSettings, env, log);
  try {
    await listen(server, settings.host, settings.port, 'server');
  } catch (error) {
    await admin?.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;

  return {
    url: `http://${host === '0.0.0.0' || host === '[::]' ? '127.0.0.1' : host}:${port}`,
    port,
    adminUrl: admin?.url,
    close(graceMs = gateway.runtime.config.server.graceMs, drainMs = 0) {
      closing ??= drain(graceMs, drainMs);
      return closing;
    },
  };

  async function drain(graceMs: number, drainMs: number): Promise<void> {
    isDraining = true;
    gateway.isDraining = true;
    gateway.live.close();
    // Whoever sends requests here has to notice first; until then they are answered, each as the last of its connection.
    if (drainMs > 0) await new Promise<void>((resolve) => setTimeout(resolve, drainMs));
    await admin?.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    // A connection whose last answer began before the end is kept alive by its client: it closes once it is idle.
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
    await gateway.close();
  }
}

/** Reads past a small body that nobody wants, so that the connection can be used again. */
function skips(request: IncomingMessage): boolean {
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (!(length <= SKIPPED_BYTES)) return false;
  request.resume();
  return true;
}

function stackOf(error: unknown): string {
  // A stranger's message may hold anything.
  return redact(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

const NO_QUERY = new URL('http://gateway/');
